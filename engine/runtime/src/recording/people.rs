//! Which fields tell of people. This is the one list; whoever records can add to it.

/// What a field tells of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// A name of one's own.
    Given,
    /// A family's name.
    Family,
    /// Both in one.
    Full,
    /// A telephone number.
    Telephone,
}

/// Names of fields, in lower case and without anything between words: those of contacts, leads and users in Dataverse (tables
/// contact, lead and systemuser), and of the members of teams in the Referrals API.
const FIELDS: [(&str, Of); 14] = [
    ("firstname", Of::Given),
    ("givenname", Of::Given),
    ("middlename", Of::Given),
    ("nickname", Of::Given),
    ("yomifirstname", Of::Given),
    ("yomimiddlename", Of::Given),
    ("lastname", Of::Family),
    ("familyname", Of::Family),
    ("surname", Of::Family),
    ("yomilastname", Of::Family),
    ("fullname", Of::Full),
    ("yomifullname", Of::Full),
    ("contactname", Of::Full),
    ("assistantname", Of::Full),
];

/// Parts of names of fields that hold telephone numbers: `telephone1`, `mobilephone`, `address1_fax`, `phoneNumber`.
const TELEPHONES: [&str; 3] = ["phone", "fax", "pager"];

/// Tables whose rows are people: a lookup that leads there tells a name.
const TABLES: [&str; 3] = ["contact", "lead", "systemuser"];

/// What a field of this name tells of a person.
pub(super) fn told_by(field: &str) -> Option<Of> {
    let field = plain(field);
    let known = FIELDS.iter().find(|(name, _)| *name == field).map(|(_, of)| *of);
    known.or_else(|| TELEPHONES.iter().any(|part| field.contains(part)).then_some(Of::Telephone))
}

/// Whether rows of this table are people.
pub(super) fn is_person(table: &str) -> bool {
    TABLES.contains(&table)
}

/// A field's name as it is compared.
pub(super) fn plain(field: &str) -> String {
    field.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The e-mail addresses in a text, wherever they stand.
pub(super) fn addresses(text: &str) -> Vec<&str> {
    let is_local = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || ".-".contains(c);
    let mut found = Vec::new();
    for (at, _) in text.match_indices('@') {
        let begin = text[..at]
            .rfind(|c| !is_local(c))
            .map_or(0, |before| before + text[before..].chars().next().map_or(0, char::len_utf8));
        let end = text[at + 1..].find(|c| !is_domain(c)).map_or(text.len(), |behind| at + 1 + behind);
        let address = text[begin..end].trim_end_matches(['.', '-']);
        let address = address.trim_start_matches(['.', '-', '%']);
        // What has no dot behind its sign is an annotation or a mention.
        if address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.')) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_known_however_they_are_written() {
        for (field, of) in [
            ("firstname", Some(Of::Given)),
            ("lastName", Some(Of::Family)),
            ("full_name", Some(Of::Full)),
            ("telephone1", Some(Of::Telephone)),
            ("address1_fax", Some(Of::Telephone)),
            ("phoneNumber", Some(Of::Telephone)),
            ("name", None),
            ("estimatedvalue", None),
        ] {
            assert_eq!(told_by(field), of, "{field}");
        }
    }

    #[test]
    fn addresses_are_found_wherever_they_stand() {
        assert_eq!(addresses("Ask iris.lang@a.example, or <tom@b.example>."), ["iris.lang@a.example", "tom@b.example"]);
        assert_eq!(addresses("emailaddress1 eq 'iris@a.example'"), ["iris@a.example"]);
        assert!(addresses("@odata.etag, a@b, @").is_empty());
    }
}

//! Reading many: query options, order, pages ("Get the list of leads and opportunities").

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::{
    access::Access,
    filter::Filter,
    problem::Problem,
    referral::Referral,
    store::{PartnerCenter, Store},
    switches::Count,
};

/// More items than these come on further pages.
const PAGE: usize = 100;

/// The query options of one list request.
#[derive(Clone, Debug, Default, PartialEq)]
struct Options {
    filter: Option<Filter>,
    order: Vec<(&'static str, bool)>,
    select: Option<Vec<String>>,
    top: Option<usize>,
    skip: usize,
    count: bool,
}

impl Options {
    fn read(pairs: &[(String, String)]) -> Result<Options, Problem> {
        let mut options = Options::default();
        for (name, value) in pairs {
            match name.as_str() {
                "$filter" => options.filter = Some(Filter::read(value)?),
                "$orderby" => options.order = order(value)?,
                "$select" => options.select = Some(select(value)?),
                "$top" => options.top = Some(number(name, value)?),
                "$skip" => options.skip = number(name, value)?,
                "$count" => {
                    options.count =
                        value.parse().map_err(|_| Problem::invalid("$count", "$count is either true or false."))?;
                }
                // Microsoft's OpenAPI file declares it, with nothing that could be expanded.
                "$expand" => {
                    let message = "No property of a referral can be expanded: leave $expand out.";
                    return Err(Problem::invalid("$expand", message));
                }
                other if other.starts_with('$') => {
                    return Err(Problem::invalid(other, format!("The query option '{other}' is not supported.")));
                }
                // OData: names without a dollar are the client's own.
                _ => {}
            }
        }
        Ok(options)
    }
}

fn number(name: &str, value: &str) -> Result<usize, Problem> {
    value.parse().map_err(|_| Problem::invalid(name, format!("{name} needs a whole number of at least 0.")))
}

fn order(value: &str) -> Result<Vec<(&'static str, bool)>, Problem> {
    let one = |item: &str| {
        let mut words = item.split_whitespace();
        let pointer = match words.next() {
            Some("createdDateTime") => "/createdDateTime",
            Some("updatedDateTime") => "/updatedDateTime",
            _ => return Err(wrong_order()),
        };
        match (words.next(), words.next()) {
            (None | Some("asc"), None) => Ok((pointer, false)),
            (Some("desc"), None) => Ok((pointer, true)),
            _ => Err(wrong_order()),
        }
    };
    value.split(',').map(one).collect()
}

fn wrong_order() -> Problem {
    Problem::invalid("$orderby", "$orderby takes createdDateTime or updatedDateTime, each with asc or desc if any.")
}

fn select(value: &str) -> Result<Vec<String>, Problem> {
    let known = Referral::empty();
    let one = |name: &str| match known.0.get(name.trim()) {
        Some(_) => Ok(name.trim().to_owned()),
        None => Err(Problem::invalid("$select", format!("'{}' is not a property of a referral.", name.trim()))),
    };
    value.split(',').map(one).collect()
}

impl PartnerCenter {
    /// Answers a list request with the query string `query`.
    pub(super) fn list(&self, access: &Access, query: &str) -> Result<Value, Problem> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        // A continuation stands for the whole query it came from, and nothing may be added to it.
        let (query, offset) = match pairs.iter().find(|(name, _)| name == "$skiptoken") {
            Some((_, token)) => continuation(token)?,
            None => (query.to_owned(), 0),
        };
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let options = Options::read(&pairs)?;

        let store = self.open();
        let found = self.found(&store, access, &options);
        let total = found.len();
        let wanted = found.into_iter().skip(options.skip).take(options.top.unwrap_or(usize::MAX));
        // Copies are made of one page only: documents are large.
        let mut page: Vec<Referral> = wanted.skip(offset).take(PAGE + 1).cloned().collect();
        drop(store);
        let more = page.len() > PAGE;
        page.truncate(PAGE);

        let switches = self.switches();
        let show = |mut referral: Referral| {
            switches.dress(&mut referral.0);
            shown(referral, options.select.as_deref())
        };
        let mut body = Map::new();
        body.insert("@odata.context".to_owned(), json!(format!("{}/$metadata#Referrals", self.base)));
        if options.count {
            let counted = if switches.count == Count::Page { page.len() } else { total };
            body.insert("@odata.count".to_owned(), json!(counted));
        }
        body.insert("value".to_owned(), page.into_iter().map(show).collect());
        if more {
            let token = URL_SAFE_NO_PAD.encode(format!("{} {query}", offset + PAGE));
            let link = format!("{}/referrals?$skiptoken={token}", self.base);
            body.insert("@odata.nextLink".to_owned(), json!(link));
        }
        Ok(Value::Object(body))
    }

    /// Everything that fits, in order. Microsoft's referrals show only where one engagement was asked for.
    fn found<'a>(&self, store: &'a Store, access: &Access, options: &Options) -> Vec<&'a Referral> {
        let related = options.filter.as_ref().and_then(Filter::engagement);
        let mut found: Vec<&Referral> = store
            .referrals
            .values()
            .filter(|referral| self.owns(referral) || related.is_some())
            .filter(|referral| access.may_read(referral))
            .filter(|referral| options.filter.as_ref().is_none_or(|filter| filter.fits(referral)))
            .collect();
        found.sort_by(|left, right| {
            let compare = |(pointer, descending): &(&str, bool)| {
                // Instants are written with a fixed number of digits, so their text sorts as they do.
                let order = left.text(pointer).cmp(right.text(pointer));
                if *descending { order.reverse() } else { order }
            };
            options.order.iter().map(compare).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        found
    }
}

fn continuation(token: &str) -> Result<(String, usize), Problem> {
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.split_once(' '))
        .and_then(|(offset, query)| Some((query.to_owned(), offset.parse().ok()?)))
        .ok_or_else(|| Problem::invalid("$skiptoken", "The continuation is not one of this service."))
}

fn shown(referral: Referral, select: Option<&[String]>) -> Value {
    let Value::Object(mut members) = referral.0 else { return Value::Null };
    members.shift_remove("@odata.context");
    if let Some(names) = select {
        members.retain(|name, _| names.contains(name));
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Options, Problem> {
        Options::read(&[(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn known_options_are_read_and_others_refused() {
        assert_eq!(
            read("$orderby", "createdDateTime desc").map(|options| options.order),
            Ok(vec![("/createdDateTime", true)])
        );
        assert_eq!(read("$top", "5").map(|options| options.top), Ok(Some(5)));
        assert!(read("client", "own").is_ok());
        for (name, value) in [
            ("$orderby", "name"),
            ("$orderby", "createdDateTime down"),
            ("$select", "id,colour"),
            ("$top", "-1"),
            ("$count", "yes"),
            ("$expand", "team"),
            ("$search", "x"),
        ] {
            assert!(read(name, value).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_continuation_is_opaque_but_checked() {
        assert!(continuation("nonsense").is_err());
        let token = URL_SAFE_NO_PAD.encode("100 $top=150&$filter=status eq 'New'");
        assert_eq!(continuation(&token), Ok(("$top=150&$filter=status eq 'New'".to_owned(), 100)));
    }
}

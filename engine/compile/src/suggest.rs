//! "Did you mean …?"

/// A suggestion, where one of `known` is near enough to `given` to be what was meant.
pub fn did_you_mean<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest(given, known).map(|known| format!("did you mean `{known}`?"))
}

/// The nearest of `known`: at most a third of its letters differ.
pub(crate) fn nearest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&given.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance <= (known.len().max(given.len()) / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_names_are_suggested() {
        assert_eq!(nearest("detials", ["details", "status"]), Some("details"));
        assert_eq!(nearest("Upper", ["upper"]), Some("upper"));
        assert_eq!(nearest("colour", ["status", "id"]), None);
    }
}

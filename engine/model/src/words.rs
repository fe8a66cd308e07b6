//! Numbers of things, as people read them.

/// So many of something, such as `1 error` or `2 errors`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

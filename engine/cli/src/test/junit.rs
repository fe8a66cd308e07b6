//! What tests found as JUnit XML, as build servers read it.

use std::fmt::Write as _;
use std::time::Duration;

use super::Tested;
use super::files::Read;

/// All of it.
pub(super) fn report(read: &Read, tested: &[Tested], all: Duration) -> String {
    let failures = |tests: &[Tested]| tests.iter().filter(|test| !test.passed()).count();
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"cosell test\" tests=\"{}\" failures=\"{}\" \
         time=\"{:.3}\">\n",
        tested.len(),
        failures(tested),
        all.as_secs_f64()
    );
    for of_file in tested.chunk_by(|one, next| one.file == next.file) {
        let file = escaped(read.path(of_file[0].file));
        let time: Duration = of_file.iter().map(|test| test.took).sum();
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{file}\" tests=\"{}\" failures=\"{}\" time=\"{:.3}\">",
            of_file.len(),
            failures(of_file),
            time.as_secs_f64()
        );
        for test in of_file {
            let (name, time) = (escaped(&test.name), test.took.as_secs_f64());
            let _ = write!(xml, "    <testcase name=\"{name}\" classname=\"{file}\" time=\"{time:.3}\"");
            if test.passed() {
                xml += "/>\n";
                continue;
            }
            let texts = test.differences.iter().map(|difference| {
                let place = read.place(difference.place);
                format!("{place} {}: expected {}, found {}", difference.what, difference.expected, difference.found)
            });
            let mut texts: Vec<String> = texts.collect();
            if test.open {
                texts.push(format!("{} it has no `then`", read.place(test.place)));
            }
            let first = escaped(texts.first().map_or("", String::as_str));
            let _ = writeln!(
                xml,
                ">\n      <failure message=\"{first}\">{}</failure>\n    </testcase>",
                escaped(&texts.join("\n"))
            );
        }
        xml += "  </testsuite>\n";
    }
    xml + "</testsuites>\n"
}

/// Text as XML takes it: a few characters by name, and none that no document may hold (XML 1.0, 2.2).
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_the_document() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{1}"), "a&lt;b&gt; &amp; &quot;c&quot;&#10;\u{fffd}");
    }
}

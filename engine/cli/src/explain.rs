//! `cosell explain`: what a finding means, with a wrong and a right example. The text is that of `docs/findings.md`.

use clap::Args;
use cosell_compile::did_you_mean;

use crate::render::{BAD, GOOD, STRONG, styled};
use crate::{Ending, Trouble};

const PAGE: &str = include_str!("../../../docs/findings.md");

/// What to explain.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The code of the finding, as it stands in brackets: `unknown-step`; a list of all where none is named.
    code: Option<String>,
}

/// Explains it.
pub(crate) fn explain(options: &Options) -> Result<Ending, Trouble> {
    let Some(code) = &options.code else {
        for (code, section) in sections() {
            anstream::println!(
                "{}  {}",
                styled(STRONG, format_args!("{code:<24}")),
                first_sentence(&paragraph(section))
            );
        }
        return Ok(Ending::Done);
    };
    let section = section(code).ok_or_else(|| {
        let help = did_you_mean(code, sections().map(|(code, _)| code))
            .unwrap_or_else(|| "`cosell explain` lists all codes".to_owned());
        Trouble::new(format!("there is no finding `{code}`\nhelp: {help}"))
    })?;
    anstream::println!("{}\n\n{}", styled(STRONG, code), for_people(section));
    Ok(Ending::Done)
}

/// What a finding of this code means, in one sentence and in a few.
pub(crate) fn explanation(code: &str) -> (String, String) {
    let all = section(code).map(paragraph).unwrap_or_default();
    (first_sentence(&all).to_owned(), all)
}

/// The same with the examples, as Markdown.
pub(crate) fn as_markdown(code: &str) -> String {
    let section = section(code).unwrap_or_default().trim();
    section.replace("```yaml wrong", "Wrong:\n\n```yaml").replace("```yaml right", "Right:\n\n```yaml")
}

fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| section.split_once('\n'))
}

fn section(code: &str) -> Option<&'static str> {
    sections().find(|(known, _)| *known == code).map(|(_, section)| section)
}

/// What stands before the examples, as the page has it.
fn before_examples(section: &str) -> &str {
    section.split("\n```").next().unwrap_or_default().trim()
}

/// The same in one line.
fn paragraph(section: &str) -> String {
    before_examples(section).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

/// Examples are indented below a word that says what they are.
fn for_people(section: &str) -> String {
    let mut shown = vec![before_examples(section).to_owned()];
    let mut examples = section.split("\n```yaml ").skip(1);
    for (word, style) in [("wrong", BAD), ("right", GOOD)] {
        let example = examples.next().and_then(|example| example.strip_prefix(word)).unwrap_or_default();
        let lines = example.lines().skip(1).take_while(|line| *line != "```");
        shown.push(format!("{}:\n", styled(style, word)));
        shown.extend(lines.map(|line| format!("  {line}")));
        shown.push(String::new());
    }
    shown.insert(1, String::new());
    shown.join("\n").trim_end().to_owned()
}

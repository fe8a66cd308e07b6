//! Whether everybody can use a page: by eye in either colour scheme, on a small screen, by keyboard, by a screen reader.

use serde_json::{Value, json};

use crate::browser::{Browser, ENTER, Look, TAB};
use crate::service::Service;
use crate::world::alone;

/// It finds what is wrong with a page for those who use it otherwise than by eye and mouse.
const AXE: &str = include_str!("axe/axe.min.js");

/// Web Content Accessibility Guidelines 2.2, level AA, and what is good beyond them.
const RULES: [&str; 6] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const LOOK: &str = "
const [rules, done] = arguments;
axe.run(document, { runOnly: { type: 'tag', values: rules }, resultTypes: ['violations'], preload: false }).then(
  found => done(found.violations.flatMap(rule => rule.nodes.map(node =>
    `${rule.id}: ${node.target.join(' ')}: ${rule.help}; ${node.failureSummary}`))),
  error => done([String(error)]));
";

/// What is wider than the screen, though no part around it can be scrolled.
const WIDE: &str = "
const width = innerWidth;
if (document.scrollingElement.scrollWidth <= width) return [];
const held = (part) => {
  for (let at = part; at && at !== document.body; at = at.parentElement) {
    if (at !== part && getComputedStyle(at).overflowX !== 'visible') return true;
  }
  return false;
};
const wide = [...document.body.querySelectorAll('*')].filter(part => part.getBoundingClientRect().right > width + 1 && !held(part));
return wide.slice(0, 5).map(part => part.outerHTML.slice(0, 200)).concat('the page is wider than ' + width);
";

/// What the console never sends: script and style of the page's own, frames, and links to anything but pages.
const STRICT: &str = "
const never = 'style, iframe, object, embed, base, script:not([src])';
const own = (part) => [...part.attributes].some(({ name }) => name.startsWith('on') || name === 'style');
const leads = (part) => part.matches('a[href]') && !/^https?:$/.test(new URL(part.getAttribute('href'), location).protocol);
return [...document.querySelectorAll('*')].filter(part => part.matches(never) || own(part) || leads(part))
  .map(part => 'sent: ' + part.outerHTML.slice(0, 200)).concat(window.hacked ? ['a script of a stranger ran'] : []);
";

/// Everything that can be reached by Tab, told apart by a number; what has the focus from now on is noted, and how it shows.
const WATCH: &str = "
const can = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex=\"0\"]';
const parts = [...document.querySelectorAll(can)].filter(part =>
  !part.disabled && part.checkVisibility() && part.tabIndex >= 0
  && !(part.type === 'radio' && !part.checked && document.querySelector(`[name=\"${part.name}\"]:checked`)));
window.focused = new Map(parts.map(part => [part, null]));
document.addEventListener('focusin', ({ target }) => {
  const { outlineStyle, outlineWidth } = getComputedStyle(target);
  window.focused.set(target, outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2);
});
window.moved = false;
new MutationObserver(() => { window.moved = true; }).observe(document.body, { childList: true, subtree: true });
// Fields for times hold a stop for each part of a time, and one for the calendar.
return parts.length + 8 * document.querySelectorAll('[type^=datetime]').length;
";

const MISSED: &str = "
return [...window.focused].filter(([, seen]) => !seen).map(([part, seen]) =>
  `${seen === null ? 'Tab does not reach' : 'the focus cannot be seen on'} ${part.outerHTML.slice(0, 200)}`);
";

/// Finds nothing wrong with the page that is shown.
#[track_caller]
pub fn audit(browser: &Browser) {
    let wrong = problems(browser);
    assert!(wrong.is_empty(), "{}:\n{}", browser.path(), wrong.join("\n"));
}

/// Finds nothing wrong with any of these pages.
#[track_caller]
pub fn audit_all(browser: &Browser, paths: impl IntoIterator<Item = String>) {
    let mut wrong = Vec::new();
    for path in paths {
        browser.go(&path);
        wrong.extend(problems(browser).into_iter().map(|problem| format!("{path}: {problem}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Looks at the page that is shown in every way; what is wrong with it.
fn problems(browser: &Browser) -> Vec<String> {
    let mut wrong: Vec<String> = lines(&browser.script(STRICT, &[])).map(str::to_owned).collect();
    if browser.script("return typeof axe", &[]) == "undefined" {
        browser.script(AXE, &[]);
    }
    for look in [Look::LIGHT, Look::DARK, Look::NARROW] {
        browser.look(look);
        let found = browser.script_later(LOOK, &[json!(RULES)]);
        wrong.extend(lines(&found).map(|line| format!("{look:?}: {line}")));
    }
    for look in [Look::NARROW, Look::NARROWEST] {
        browser.look(look);
        wrong.extend(lines(&browser.script(WIDE, &[])).map(|line| format!("{look:?}: {line}")));
    }
    browser.look(Look::LIGHT);
    // An open page may exchange what the keyboard is on its way through; then the way begins again.
    let walked = (0..5).find_map(|_| {
        let stops = browser.script(WATCH, &[]).as_u64().unwrap();
        browser.script("document.activeElement.blur()", &[]);
        browser.keys(&TAB.repeat(usize::try_from(stops).unwrap() + 2));
        let missed = browser.script(MISSED, &[]);
        (browser.script("return window.moved", &[]) == false).then_some(missed)
    });
    match walked {
        Some(missed) => wrong.extend(lines(&missed).map(str::to_owned)),
        None => wrong.push("the page never comes to rest".to_owned()),
    }
    wrong.extend(browser.complaints());
    wrong
}

/// The first thing that Tab reaches leads past the menu.
pub fn skips(browser: &Browser) {
    browser.keys(TAB);
    browser.keys(ENTER);
    assert_eq!(browser.script("return document.activeElement.id", &[]), "main");
}

#[test]
fn what_is_wrong_with_a_page_is_found() {
    let project = alone("audit", "flow: mine\ntrigger: manual\nsteps: {}\n");
    let service = Service::start(&project);
    let browser = service.browser();
    assert_eq!(problems(&browser), [""; 0]);
    browser.script(
        "
        const put = html => document.querySelector('main').insertAdjacentHTML('beforeend', html);
        put('<img src=\"data:,\">');
        put('<button id=unseen>Unseen</button><p id=wide>Wide</p><p id=pale>Pale</p>');
        put('<p onclick=\"1\">Forbidden</p><a href=\"javascript:1\">Forbidden</a>');
        document.getElementById('unseen').style.outline = 'none';
        document.getElementById('wide').style.width = '2000px';
        document.getElementById('pale').style.color = 'light-dark(#767676, #eeeeee)';
        ",
        &[],
    );
    let wrong = problems(&browser);
    let said = |words: &[&str]| wrong.iter().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(said(&["image-alt"]), 3, "in every look: {wrong:#?}");
    assert_eq!(said(&["color-contrast", "#pale", "dark: false"]), 2, "{wrong:#?}");
    assert_eq!(said(&["color-contrast", "#pale", "dark: true"]), 0, "{wrong:#?}");
    assert_eq!(said(&["wider than", "320"]) + said(&["wider than", "390"]), 2, "{wrong:#?}");
    assert_eq!(said(&["sent", "Forbidden"]), 2, "{wrong:#?}");
    assert_eq!(said(&["cannot be seen", "unseen"]), 1, "{wrong:#?}");
    assert_eq!(said(&["SEVERE", "Content Security Policy"]), 2, "the picture, and the script: {wrong:#?}");
}

fn lines(found: &Value) -> impl Iterator<Item = &str> {
    found.as_array().into_iter().flatten().filter_map(Value::as_str)
}

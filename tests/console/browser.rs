//! A browser, and a person in front of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, WebDriver, WebElement};
use tokio::runtime::Runtime;

use crate::driver::Driver;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

pub const TAB: &str = "\u{e004}";
pub const ENTER: &str = "\u{e007}";

/// A browser with a profile of its own, on a site.
pub struct Browser {
    runtime: Runtime,
    driver: WebDriver,
    site: String,
    /// It works the browser, and ends after it.
    _program: Arc<Driver>,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub dark: bool,
    /// In pixels of a page.
    pub width: u32,
}

impl Look {
    pub const LIGHT: Self = Self { dark: false, width: 1280 };
    pub const DARK: Self = Self { dark: true, width: 1280 };
    pub const NARROW: Self = Self { dark: false, width: 390 };
    pub const NARROWEST: Self = Self { dark: false, width: 320 };
}

impl Browser {
    /// A new one; paths are those of `site`.
    pub fn open(site: &str) -> Self {
        let program = Driver::shared();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut wanted = DesiredCapabilities::chrome();
        FLAGS.iter().for_each(|flag| wanted.add_arg(flag).unwrap());
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        let driver = runtime.block_on(async { WebDriver::new(&program.address, wanted).await });
        let driver = driver.unwrap_or_else(|error| {
            panic!("no browser: {error}; install one with `apt-get install chromium chromium-driver`")
        });
        let browser = Self { runtime, driver, site: site.to_owned(), _program: program };
        browser.look(Look::LIGHT);
        browser
    }

    /// From now on everything is seen so.
    pub fn look(&self, Look { dark, width }: Look) {
        let scheme = if dark { "dark" } else { "light" };
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features }));
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", screen);
    }

    /// A command of the browser's own tools.
    pub fn devtools(&self, command: &str, what: Value) -> Value {
        self.runtime.block_on(self.driver.cdp().send_raw(command, what)).unwrap()
    }

    pub fn go(&self, path: &str) {
        self.runtime.block_on(self.driver.goto(format!("{}{path}", self.site))).unwrap();
    }

    /// Path and query of what is shown.
    pub fn path(&self) -> String {
        let address = self.runtime.block_on(self.driver.current_url()).unwrap();
        address.as_str().strip_prefix(&self.site).unwrap_or(address.as_str()).to_owned()
    }

    /// What a script gives that a person would type into the browser's console.
    pub fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.tried(script, arguments).unwrap_or_else(|error| panic!("{error}\n{script}"))
    }

    fn tried(&self, script: &str, arguments: &[Value]) -> Result<Value, String> {
        let ran = self.runtime.block_on(self.driver.execute(script, arguments));
        ran.map(|ran| ran.json().clone()).map_err(|error| error.to_string())
    }

    /// What a script gives to its last argument, a function.
    pub fn script_later(&self, script: &str, arguments: &[Value]) -> Value {
        let ran = self.runtime.block_on(self.driver.execute_async(script, arguments));
        ran.unwrap_or_else(|error| panic!("{error}\n{script}")).json().clone()
    }

    /// The text of everything on the page that is meant, as it is seen.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let script =
            "return [...document.querySelectorAll(arguments[0])].map(found => found.innerText ?? found.textContent)";
        // A page that is being left has nothing.
        let texts = self.tried(script, &[json!(css)]).unwrap_or_default();
        serde_json::from_value(texts).unwrap_or_default()
    }

    /// The text of the first that is meant; empty where there is none.
    pub fn text(&self, css: &str) -> String {
        self.texts(css).into_iter().next().unwrap_or_default()
    }

    /// Waits until there is something to see.
    #[track_caller]
    pub fn until<T>(&self, what: &str, look: impl Fn() -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(began.elapsed() < PATIENCE, "{what}: it never comes; {} shows\n{}", self.path(), self.text("body"));
        }
    }

    /// Waits until a part of the page says something.
    #[track_caller]
    pub fn says(&self, css: &str, words: &str) {
        self.until(&format!("`{words}` in {css}"), || self.text(css).contains(words).then_some(()));
    }

    /// Waits until a page is shown.
    #[track_caller]
    pub fn arrives(&self, path: &str) {
        self.until(&format!("the page {path}"), || (self.path() == path && self.ready()).then_some(()));
    }

    fn ready(&self) -> bool {
        self.tried("return document.readyState", &[]).is_ok_and(|state| state == "complete")
    }

    #[track_caller]
    fn act(&self, by: &By, act: impl AsyncFn(&WebElement) -> thirtyfour::error::WebDriverResult<()>) {
        self.until(&format!("{by:?} to be used"), || {
            let acted = async {
                let found = self.driver.find(by.clone()).await?;
                act(&found).await
            };
            self.runtime.block_on(acted).ok()
        });
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        self.act(&By::Css(css), WebElement::click);
    }

    /// Follows a link by what it says, or else by what it says among more.
    #[track_caller]
    pub fn follow(&self, words: &str) {
        self.until(&format!("a link `{words}`"), || {
            let followed = async {
                let exact = self.driver.find(By::LinkText(words)).await;
                let link = match exact {
                    Ok(link) => link,
                    Err(_) => self.driver.find(By::PartialLinkText(words)).await?,
                };
                link.click().await
            };
            self.runtime.block_on(followed).ok()
        });
    }

    /// Presses a button by what it says.
    #[track_caller]
    pub fn press(&self, words: &str) {
        self.act(&By::XPath(format!("//button[normalize-space()='{words}']")), WebElement::click);
    }

    /// Types into a field, instead of what stands in it.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        self.act(&By::Css(css), async |field| {
            field.clear().await?;
            field.send_keys(text).await
        });
    }

    /// Presses keys, wherever the focus is.
    pub fn keys(&self, keys: &str) {
        self.act(&By::Css(":focus, body"), async |_| {
            let focused = self.driver.active_element().await?;
            focused.send_keys(keys).await
        });
    }

    /// Shows the token; gives the browser back, signed in.
    pub fn signed_in(self, token: &str) -> Self {
        self.go("/console/sign-in");
        self.fill("#token", token);
        self.press("Sign in");
        self.arrives("/console");
        self
    }

    /// What the browser complained of since this was asked last: errors, and what the page's policy forbade.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.runtime.block_on(self.driver.browser_log()).unwrap();
        let bad = log.into_iter().filter(|entry| entry.level == "SEVERE" || entry.level == "WARNING");
        bad.map(|entry| format!("{}: {}", entry.level, entry.message)).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.runtime.block_on(self.driver.clone().quit());
    }
}

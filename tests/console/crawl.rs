//! Every page that a link leads to is there, and says nothing that it must not; every form is refused that is not ours.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use tokio::runtime::Runtime;

use crate::world::TOKEN;

/// Pages that differ only in which run, deal or flow they show: so many of them are read.
const ALIKE: usize = 3;
/// As large as a page may be, in bytes.
const LARGEST: usize = 4_000_000;

/// Somebody who is signed in, and looks at what is sent rather than at what is shown.
pub struct Reader {
    runtime: Runtime,
    client: Client,
    origin: String,
    cookie: String,
}

/// What was found.
#[derive(Default)]
pub struct Found {
    /// What was sent, by its address.
    pub sent: BTreeMap<String, String>,
    /// The addresses of pages among it.
    pub pages: BTreeSet<String>,
    /// Those of one page of each kind.
    pub kinds: BTreeSet<String>,
    /// Where forms go that do something.
    pub forms: BTreeSet<String>,
}

impl Reader {
    pub fn signed_in(origin: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let door = client.post(format!("{origin}/console/sign-in")).form(&[("token", TOKEN)]);
        let answer = runtime.block_on(async { door.send().await.unwrap() });
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self { runtime, client, origin: origin.to_owned(), cookie }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.origin)).header(COOKIE, &self.cookie)
    }

    /// Status; kind of content, or where else to look; text.
    fn ask(&self, request: RequestBuilder) -> (u16, String, String) {
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            let about = [CONTENT_TYPE, LOCATION].iter().filter_map(|name| answer.headers().get(name)).next_back();
            let about = about.map(|about| about.to_str().unwrap().to_owned()).unwrap_or_default();
            (answer.status().as_u16(), about, answer.text().await.unwrap())
        })
    }

    /// Follows every link from the overview on. Of pages that are alike only some, so that this ends.
    pub fn crawl(&self) -> Found {
        let mut found = Found::default();
        let mut alike: BTreeMap<String, usize> = BTreeMap::new();
        let mut kinds = BTreeSet::new();
        let mut next = VecDeque::from(["/console".to_owned()]);
        while let Some(path) = next.pop_front() {
            if found.sent.contains_key(&path) {
                continue;
            }
            let seen = alike.entry(shape(&path)).or_default();
            *seen += 1;
            if *seen > ALIKE {
                continue;
            }
            let (status, kind, text) = self.ask(self.request(Method::GET, &path));
            // A deal has more than one name, and its page one address.
            if status == 303 && kind.starts_with("/console/deals/") {
                next.push_back(kind);
                continue;
            }
            assert_eq!(status, 200, "{path}: {text}");
            assert!(text.len() < LARGEST, "{path} has {} bytes", text.len());
            if kind.starts_with("text/html") {
                found.pages.insert(path.clone());
                if kinds.insert(shape(path.split('?').next().unwrap())) {
                    found.kinds.insert(path.clone());
                }
                let links = attributes(&text, " href=\"").filter(|to| to.starts_with("/console"));
                next.extend(links.map(|to| to.split('#').next().unwrap().to_owned()));
                let forms = text.split("<form").skip(1).filter_map(|form| form.split('>').next());
                let acting = forms.filter(|form| form.contains("method=\"post\""));
                found.forms.extend(acting.flat_map(|form| attributes(form, " action=\"")));
            }
            found.sent.insert(path, text);
        }
        found
    }

    /// Forms without our secret, and forms of another site's page, do nothing.
    pub fn is_refused(&self, form: &str) {
        let bare = self.request(Method::POST, form).form(&[("form_secret", "guessed")]);
        let foreign = self.request(Method::POST, form).header("origin", "https://evil.example").form(&[("a", "b")]);
        for request in [bare, foreign] {
            let (status, _, text) = self.ask(request);
            assert_eq!(status, 403, "{form}: {text}");
        }
    }
}

impl Found {
    /// Nothing that was sent holds the text; `what` says what it is.
    #[track_caller]
    pub fn nowhere(&self, what: &str, text: &str) {
        let holding: Vec<&String> =
            self.sent.iter().filter(|(_, sent)| sent.contains(text)).map(|(path, _)| path).collect();
        assert!(holding.is_empty(), "{what} stands in {holding:?}");
    }

    /// No page holds the text as markup; what is downloaded may.
    #[track_caller]
    pub fn no_markup(&self, markup: &str) {
        let holding: Vec<&String> = self.pages.iter().filter(|path| self.sent[*path].contains(markup)).collect();
        assert!(holding.is_empty(), "{markup} stands in {holding:?}");
    }
}

/// What stands in an attribute, wherever it is.
fn attributes<'t>(text: &'t str, begins: &'t str) -> impl Iterator<Item = String> + 't {
    let values = text.split(begins).skip(1).filter_map(|rest| rest.split('"').next());
    values.map(|value| value.replace("&amp;", "&"))
}

/// Pages of the same shape are alike: which record they show, and what is filled into a filter, is left out.
fn shape(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let part = |part: &str| if part.len() > 20 || part.contains('%') { "…".to_owned() } else { part.to_owned() };
    let parts: Vec<String> = path.split('/').map(part).collect();
    let names: Vec<&str> = query.split('&').filter_map(|pair| pair.split('=').next()).collect();
    format!("{}?{}", parts.join("/"), names.join("&"))
}

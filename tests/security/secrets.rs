//! No secret is written anywhere: not by a service that works all day with everything logged, not by one whose credentials are
//! refused, not by a person's commands; neither as it is nor in disguise.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use cosell_sdk::stub::{Reply, Stub};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Project, Stage, configuration};

/// What secrets are looked for in: a name, and all that was written there.
type Haystack = (String, Vec<u8>);

/// Which secrets stand where, in whatever form.
fn leaks(haystacks: &[Haystack], secrets: &[(&str, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, secret) in secrets {
        for (form, needle) in forms(secret) {
            for (place, hay) in haystacks {
                if let Some(at) = hay.windows(needle.len()).position(|part| part == needle.as_bytes()) {
                    let around = &hay[at.saturating_sub(120)..hay.len().min(at + 40)];
                    found.push(format!("{name}, {form}, in {place}: …{}…", String::from_utf8_lossy(around)));
                }
            }
        }
    }
    found
}

/// A text as it stands in what programs write.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let escaped = |kept: &str, space: &str| -> String {
        let byte = |byte: u8| match byte {
            b' ' => space.to_owned(),
            _ if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        secret.bytes().map(byte).collect()
    };
    let json = json!(secret).to_string();
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        ("in JSON", json.trim_matches('"').to_owned()),
        ("in an address", escaped("-._~", "%20")),
        ("in a form", escaped("*-._", "+")),
        ("in hexadecimal", secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("as a list of bytes", format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned()),
    ];
    // Base64 looks differently behind one or two other bytes; what these have a part in is left out.
    for (before, cut) in [(0, 0), (1, 2), (2, 3)] {
        let bytes = [&vec![b':'; before][..], secret.as_bytes()].concat();
        let whole = bytes.len() * 8 / 6;
        forms.push(("in base64", STANDARD.encode(&bytes)[cut..whole].to_owned()));
        forms.push(("in base64 for addresses", URL_SAFE_NO_PAD.encode(&bytes)[cut..whole].to_owned()));
    }
    forms
}

#[test]
fn a_secret_is_found_in_every_disguise() {
    let secret = "s3cret ü&/?=\"x\"~!".to_owned();
    let mut url = reqwest::Url::parse("http://x/").unwrap();
    url.query_pairs_mut().append_pair("key", &secret);
    for text in [
        format!("token {secret}."),
        json!({ "a": { "b": secret } }).to_string(),
        url.to_string(),
        format!("Basic {}", STANDARD.encode(format!("user:{secret}"))),
        format!("Basic {}", STANDARD.encode(format!("users:{secret}"))),
        URL_SAFE_NO_PAD.encode(format!("us:{secret}, and more")),
        format!("{:?}", secret.as_bytes()),
    ] {
        assert!(
            !leaks(&[("log".to_owned(), text.clone().into_bytes())], &[("it", secret.clone())]).is_empty(),
            "{text}"
        );
    }
    assert!(leaks(&[("log".to_owned(), b"s3cret, [secret], c2VjcmV0".to_vec())], &[("it", secret)]).is_empty());
}

/// A run that uses every connection, well and badly.
const FLOW: &str = "
flow: everything
trigger: { use: dataverse.row_saved, with: { table: opportunity } }
steps:
  row: { use: dataverse.get_row, with: { table: opportunity, id: \"${{ trigger.id }}\" } }
  referrals: { use: partner_center.list_referrals, with: { top: 1 } }
  registration: { use: partner_center_events.list_events }
  basic: { use: http.get, connection: basic, with: { path: /well } }
  basic_refused: { use: http.get, connection: basic, with: { path: /badly } }
  bearer: { use: http.get, connection: bearer, with: { path: /well } }
  bearer_refused: { use: http.request, connection: bearer, with: { method: POST, path: /badly } }
  header: { use: http.get, connection: header, with: { path: /well } }
  header_refused: { use: http.get, connection: header, with: { path: /badly } }
  query: { use: http.get, connection: query, with: { path: /well } }
  query_refused: { use: http.get, connection: query, with: { path: /badly } }
  client: { use: http.get, connection: client, with: { path: /well } }
  client_refused: { use: http.get, connection: client, with: { path: /badly } }
  keep: { use: state.put, with: { key: row, value: \"${{ steps.row }}\" } }
output: { row: \"${{ steps.row }}\", failed: \"${{ outcomes.basic_refused }}\" }
";

struct Scene {
    stage: Stage,
    stub: Stub,
    secrets: Vec<(&'static str, String)>,
    haystacks: Vec<Haystack>,
}

impl Scene {
    fn new() -> Self {
        let stage = Stage::new();
        let stub = stage.runtime.block_on(Stub::start());
        stub.intercept(|seen| {
            Some(match seen.target.split('?').next() {
                Some("/token") => {
                    Reply::json(200, json!({ "access_token": "acce55-t0ken-of-the-stub", "expires_in": 3600 }))
                }
                Some("/well") => Reply::json(200, json!({ "well": true })),
                _ => Reply::json(403, json!({ "error": { "code": "denied", "message": "Not for you." } })),
            })
        });
        let random = |name: &'static str| (name, format!("{name} {}&/?=+", Uuid::new_v4()));
        let mut secrets = vec![
            ("client_secret", stage.addresses.client_secret.clone()),
            ("refresh_token", stage.addresses.refresh_token.clone()),
            ("token_key", STANDARD.encode([Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat())),
            ("access_token", "acce55-t0ken-of-the-stub".to_owned()),
            ("api_token", API_TOKEN.to_owned()),
            // Every token of the sandbox, and nothing else, begins so.
            ("any_token", "eyJhbGci".to_owned()),
        ];
        secrets
            .extend(["webhook", "password", "bearer", "header", "query", "oauth", "wrong", "wrong_token"].map(random));
        Self { stage, stub, secrets, haystacks: Vec::new() }
    }

    fn secret(&self, name: &str) -> &str {
        &self.secrets.iter().find(|(known, _)| *known == name).unwrap().1
    }

    /// A project with all these secrets, or with some that the remote systems refuse.
    fn project(&self, name: &str, right: bool) -> Project {
        let mut settings = configuration(&self.stage.addresses);
        let connections = settings["connections"].as_object_mut().unwrap();
        for own in connections.values_mut() {
            let sign_in = own["sign_in"].as_object_mut().unwrap();
            if !right {
                sign_in.insert("client_secret".to_owned(), json!(self.secret("wrong")));
            }
        }
        let person = &mut connections["partner_center"]["sign_in"];
        person["token_key"] = json!(self.secret("token_key"));
        if !right {
            person["client_secret"] = json!(self.stage.addresses.client_secret);
            person["refresh_token"] = json!(self.secret("wrong_token"));
        }
        connections["dataverse"]["webhook_secret"] = json!(self.secret("webhook"));
        connections["partner_center_events"]["trust_roots"] = json!(self.stage.addresses.root_certificate_pem);
        let token_address = format!("{}/token", self.stub.origin());
        for (name, authentication) in [
            ("basic", json!({ "basic": { "user": "noor", "password": self.secret("password") } })),
            ("bearer", json!({ "bearer": { "token": self.secret("bearer") } })),
            ("header", json!({ "api_key": { "key": self.secret("header"), "header": "x-api-key" } })),
            ("query", json!({ "api_key": { "key": self.secret("query"), "query": "key" } })),
            (
                "client",
                json!({ "oauth_client_credentials": {
                "token_address": token_address, "client_id": "c", "client_secret": self.secret("oauth"),
            } }),
            ),
        ] {
            let own = json!({ "connector": "http", "address": self.stub.origin(), "authentication": authentication });
            connections.insert(name.to_owned(), own);
        }
        settings["service"] = json!({ "token": { "env": "COSELL_API_TOKEN" } });
        settings["connections"]["state"] = json!({ "file": "state.jsonl" });
        Project::new(name).file("cosell.yaml", &settings.to_string()).flow(FLOW)
    }

    /// Runs a command with everything logged, and keeps what it wrote.
    fn run(&mut self, project: &Project, arguments: &[&str]) {
        let output = program(project, arguments).output().unwrap();
        self.haystacks.push((format!("the output of {arguments:?}"), output.stdout));
        self.haystacks.push((format!("the log of {arguments:?}"), output.stderr));
    }

    /// Asks the service as an operator, and keeps what it answers.
    fn ask(&mut self, service: &Service, path: &str) {
        let request = self.stage.http.get(service.hooks.replace("hooks/", path)).bearer_auth(API_TOKEN);
        let answer = self.stage.runtime.block_on(async { request.send().await.unwrap().bytes().await.unwrap() });
        self.haystacks.push((format!("the answer to {path}"), answer.to_vec()));
    }

    /// Everything that was written to the project's folder, but the configuration itself.
    fn take_files(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                self.take_files(&path);
            } else if !path.ends_with("cosell.yaml") {
                self.haystacks.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }

    /// How many requests so far.
    fn asked(&self) -> usize {
        self.stub.requests().len()
    }
}

/// What an operator shows to the service.
const API_TOKEN: &str = "t0ken-of-the-operator";

fn program(project: &Project, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cosell"));
    command.args(arguments).current_dir(&project.folder).env_clear();
    command.env("COSELL_LOG", "trace").env("NO_COLOR", "1").env("COSELL_API_TOKEN", API_TOKEN);
    command
}

/// The service, until it is told to end.
struct Service {
    child: Child,
    hooks: String,
}

impl Service {
    fn start(project: &Project) -> Self {
        let log = fs::File::create(project.folder.join("service.log")).unwrap();
        let mut command = program(project, &["serve", "--listen", "127.0.0.1:0", "--every", "1", "--grace", "10"]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let ready = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("Ready"));
        let log = || fs::read_to_string(project.folder.join("service.log")).unwrap();
        let ready = ready.unwrap_or_else(|| panic!("the service does not begin: {}", log()));
        let hooks = ready.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        Self { child, hooks: hooks.split("/hooks/").next().unwrap().to_owned() + "/hooks/" }
    }

    fn stop(mut self) {
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success() && self.child.wait().unwrap().success());
    }
}

#[test]
fn no_secret_is_written_anywhere() {
    let mut scene = Scene::new();
    let opportunity = scene.stage.opportunity(&json!({}));
    let (works, refused) = (scene.project("secrets", true), scene.project("secrets-refused", false));
    let event = json!({ "table": "opportunity", "id": opportunity, "change": "updated", "columns": {}, "truncated": false, "user": null, "depth": 1 });
    for project in [&works, &refused] {
        fs::write(project.folder.join("event.json"), event.to_string()).unwrap();
    }

    let service = Service::start(&works);
    let call = json!({ "MessageName": "Update", "PrimaryEntityName": "opportunity", "PrimaryEntityId": opportunity });
    for (secret, expected) in [(scene.secret("wrong"), 401), (scene.secret("webhook"), 200)] {
        let request = scene.stage.http.post(format!("{}dataverse", service.hooks)).header("x-cosell-key", secret);
        let answer = scene.stage.runtime.block_on(request.body(call.to_string()).send()).unwrap();
        assert_eq!(answer.status().as_u16(), expected);
    }
    let waited = Instant::now();
    while scene.asked() < 11 {
        assert!(waited.elapsed() < Duration::from_secs(30), "the run does not end: {:?}", scene.stub.lines());
        std::thread::sleep(Duration::from_millis(20));
    }
    for path in ["metrics", "ready", "api/v1/status", "api/v1/runs", "api/v1/openapi.json"] {
        scene.ask(&service, path);
    }
    let (_, metrics) = scene.haystacks.iter().find(|(name, _)| name == "the answer to metrics").unwrap();
    assert!(String::from_utf8_lossy(metrics).contains("cosell_steps_total"));
    service.stop();

    let input = format!("opportunity_id={opportunity}");
    for project in [&works, &refused] {
        for arguments in [
            &["run", "everything", "--event", "event.json", "--json"][..],
            &["run", "everything", "--event", "event.json"],
            &["run", "dynamics-to-partner-center", "--input", &input, "--json"],
            &["webhooks", "show"],
            &["doctor"],
            &["check", "--format", "json"],
            &["variables"],
        ] {
            scene.run(project, arguments);
        }
    }
    // A finding repeats the line that it points at.
    let text = fs::read_to_string(works.folder.join("cosell.yaml")).unwrap();
    let text = text.replacen("\"client_secret\":", "\"client_secret\":\"\",\"client_secret\":", 1);
    let mistaken = Project::new("secrets-mistaken").file("cosell.yaml", &text);
    scene.run(&mistaken, &["check"]);
    let (_, shown) = scene.haystacks.last().unwrap();
    assert!(String::from_utf8_lossy(shown).contains("client_secret"), "{}", String::from_utf8_lossy(shown));
    scene.run(&works, &["journal", "export"]);
    scene.take_files(&works.folder);
    scene.take_files(&refused.folder);

    // The scene is of use only if the secrets were used, and if it was written down what was done with them.
    let sent: Vec<Value> =
        scene.stub.requests().iter().map(|seen| json!([seen.target, seen.headers, seen.body])).collect();
    let sent = [("requests".to_owned(), json!(sent).to_string().into_bytes())];
    for name in ["password", "bearer", "header", "query", "oauth"] {
        let secret = scene.secrets.iter().find(|(known, _)| *known == name).unwrap().clone();
        assert!(!leaks(&sent, &[secret]).is_empty(), "{name} was never sent");
    }
    let written: usize = scene.haystacks.iter().map(|(_, hay)| hay.len()).sum();
    let names: Vec<&str> = scene.haystacks.iter().map(|(name, _)| name.as_str()).collect();
    for expected in ["journal.db", "service.log", "state.jsonl", "partner_center.json"] {
        assert!(names.iter().any(|name| name.ends_with(expected)), "{expected} is not among {names:?}");
    }
    assert!(written > 200_000, "{written} bytes are all that was written");
    let found = leaks(&scene.haystacks, &scene.secrets);
    assert!(found.is_empty(), "{} leaks:\n{}", found.len(), found.join("\n"));
}

//! Our own files, damaged: what a person's sign-in and what flows keep.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bolero::check;
use cosell_sdk::CallContext;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::change::{Change, Lasting, changed, one};

/// An empty folder that is ours alone.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

#[test]
fn any_file_with_a_sign_in() {
    let file = folder("fuzz-tokens").join("partner_center.json");
    let content = |token: Value| {
        let since = "2026-11-02T08:15:31Z";
        let all = json!({
            "tenant": "t", "client_id": "c", "since": since, "used": since, "person": "noor@fabrikam.example",
            "second_factor": true, "in_place_of": null, "token": token,
        });
        all.to_string().into_bytes()
    };
    let encrypted = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==";
    let samples = [content(json!({ "plain": "0.AXkept-token" })), content(json!({ "encrypted": encrypted }))];
    check!().with_type::<(u16, bool, Vec<Change>)>().for_each(|(which, has_key, changes)| {
        fs::write(&file, changed(one(&samples, *which), changes)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut sign_in = json!({
            "authority": "http://127.0.0.1:9", "tenant": "t", "client_id": "c", "person": true, "token_file": file,
        });
        if *has_key {
            sign_in["token_key"] = json!("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        }
        let settings = json!({ "address": "http://127.0.0.1:9", "sign_in": sign_in });
        let connection = cosell_partner_center::connector().open(settings).unwrap();
        let kept = connection.client().unwrap().sign_in().unwrap().kept();
        assert!(!format!("{kept:?}").contains("kept-token"), "{kept:?}");
    });
}

#[test]
fn any_file_with_kept_values() {
    let folder = folder("fuzz-state");
    let runtime = Runtime::new().unwrap();
    let file = folder.join("state.jsonl");
    let open = || cosell_state::connector().open(json!({ "file": file })).unwrap();
    let call = |operation: &'static str, input: Value| {
        runtime.block_on(open().call(operation, input, CallContext::new(Uuid::nil(), false)))
    };
    for n in 0..4 {
        call("put", json!({ "key": format!("deal:{}", n % 3), "value": { "n": n, "text": "ä" } })).unwrap();
    }
    let sample = fs::read(&file).unwrap();
    let state = Lasting(Damaged { file: file.clone(), runtime });
    check!().with_type::<Vec<Change>>().for_each(|changes| state.read_and_write(&changed(&sample, changes)));
}

struct Damaged {
    file: PathBuf,
    runtime: Runtime,
}

impl Damaged {
    fn read_and_write(&self, bytes: &[u8]) {
        let _ = fs::remove_dir_all(self.file.parent().unwrap());
        fs::create_dir_all(self.file.parent().unwrap()).unwrap();
        fs::write(&self.file, bytes).unwrap();
        let connection = cosell_state::connector().open(json!({ "file": self.file })).unwrap();
        let context = || CallContext::new(Uuid::nil(), false);
        self.runtime.block_on(async {
            let _ = connection.call("get", json!({ "key": "deal:1" }), context()).await;
            let put = connection.call("put", json!({ "key": "deal:9", "value": 9 }), context()).await;
            if put.is_ok() {
                let read = connection.call("get", json!({ "key": "deal:9" }), context()).await.unwrap();
                assert_eq!(read["value"], 9, "what was kept is there");
            }
        });
    }
}

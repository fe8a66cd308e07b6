//! The keys of the configuration.

use super::step::RETRY;
use super::table::{Key, Table, Takes};

const CONNECTIONS: Key = Key::new(
    "connections",
    Takes::Defined("connections"),
    "Connections by name: an address, and how to sign in. One that is named like a connector is of that connector.",
);
const VARIABLES: Key = Key::new(
    "variables",
    Takes::Either(&[Takes::Named(&Takes::Constant), Takes::Null]),
    "Current values of variables, by name; `cosell variables` lists them.",
)
.such_as(&[r#"{"deal_value_column": "new_dealvalue"}"#]);
const OFF: Key =
    Key::new("off", Takes::Either(&[Takes::List(&Takes::Kebab), Takes::Null]), "Flows that are turned off, by name.");
const SERVICE: Key = Key::new("service", Takes::Either(SERVED_OR_NOT), "How the service runs.");
const SERVED_OR_NOT: &[Takes] = &[Takes::Table(&SERVED), Takes::Null];

pub(super) static CONFIGURATION: Table = Table {
    name: "configuration",
    title: "The configuration",
    about: "Connections, current values of variables, folders of your own flows. Secrets never stand in it: `{ env: NAME }` takes \
            one from the environment, `{ file: PATH }` from a file.",
    keys: &[
        CONNECTIONS,
        VARIABLES,
        OFF,
        SERVICE,
        Key::new("environment", Takes::Kebab, "The environment that is used where none is named.")
            .such_as(&["\"staging\""]),
        Key::new(
            "environments",
            Takes::Either(&[Takes::Map(&Takes::Either(&[Takes::Table(&ENVIRONMENT), Takes::Null])), Takes::Null]),
            "What differs between a trial and the real thing, by environment.",
        ),
        Key::new(
            "flows",
            Takes::Either(&[Takes::Text, Takes::List(&Takes::Text)]),
            "Folders of your own flows, mappings and variables, relative to this file.",
        )
        .such_as(&[r#"["flows"]"#]),
        Key::new(
            "retry",
            Takes::Either(&[Takes::Words(&["none"]), Takes::Table(&RETRY)]),
            "How failed attempts are repeated where a step does not say.",
        ),
    ],
    others: None,
    needs: &[],
};

pub(super) static ENVIRONMENT: Table = Table {
    name: "environment",
    title: "An environment",
    about: "What it says replaces single settings of the same name; its `off` counts beside that of the whole file.",
    keys: &[CONNECTIONS, VARIABLES, OFF, SERVICE],
    others: None,
    needs: &[],
};

pub(super) static LIMITS: Table = Table {
    name: "limits",
    title: "How much a connection is called",
    about: "The connector knows what is usual.",
    keys: &[
        Key::new("concurrent", Takes::Whole(1, 1000), "How many calls are under way at once."),
        Key::new("per_minute", Takes::Whole(1, 1_000_000), "How many requests begin in any sixty seconds."),
    ],
    others: None,
    needs: &[],
};

pub(super) static SERVED: Table = Table {
    name: "service",
    title: "The service",
    about: "Where it listens, who may use it, how much it keeps.",
    keys: &[
        Key::new("public_url", Takes::Text, "Its address as seen from outside; remote systems call what is below it.")
            .such_as(&["\"https://sync.fabrikam.example\""]),
        Key::new("listen", Takes::Text, "Where it listens: an IP address and a port.").such_as(&["\"127.0.0.1:7070\""]),
        Key::new(
            "token",
            Takes::Defined("elsewhere"),
            "The secret that whoever looks at runs or changes them must show.",
        )
        .such_as(&[r#"{"env": "COSELL_API_TOKEN"}"#]),
        Key::new("tls", Takes::Table(&TLS), "With which certificate it speaks TLS; without one it does not."),
        Key::new("keep_days", Takes::Whole(1, 36_500), "How long runs that have ended are kept, in days."),
        Key::new("keep_megabytes", Takes::Whole(10, 100_000_000), "How much is kept at most, in megabytes."),
    ],
    others: None,
    needs: &[],
};

pub(super) static TLS: Table = Table {
    name: "tls",
    title: "A certificate",
    about: "As files relative to the configuration.",
    keys: &[
        Key::new("certificate", Takes::Text, "The certificate with those of its issuers, as PEM."),
        Key::new("key", Takes::Text, "Its private key, as PEM."),
    ],
    others: None,
    needs: &["certificate", "key"],
};

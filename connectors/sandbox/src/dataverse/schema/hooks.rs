//! What web hooks are registered in (Dataverse, "Register a WebHook"): the end point to call, the step that says for
//! which message and table, and the messages there are. `asyncoperation` tells how a call went.

use super::build::{boolean, choice, column, integer, lookup, memo, table, text, url};
use super::{Column, Kind, Options, State, Table};

/// Contracts of a service end point; the sandbox calls web hooks only.
const CONTRACT: Options = &[
    (1, "OneWay"),
    (2, "Queue"),
    (3, "Rest"),
    (4, "TwoWay"),
    (5, "Topic"),
    (6, "Queue (Persistent)"),
    (7, "Event Hub"),
    (8, "Webhook"),
];

const AUTHENTICATION: Options =
    &[(1, "ACS"), (2, "SAS Key"), (3, "SAS Token"), (4, "Webhook Key"), (5, "Http Header"), (6, "Http Query String")];

const STEP_STATES: &[State] = &[
    State { value: 0, label: "Enabled", statuses: &[(1, "Enabled")] },
    State { value: 1, label: "Disabled", statuses: &[(2, "Disabled")] },
];

const JOB_STATES: &[State] = &[
    State { value: 0, label: "Ready", statuses: &[(0, "Waiting For Resources")] },
    State { value: 3, label: "Completed", statuses: &[(30, "Succeeded"), (31, "Failed"), (32, "Canceled")] },
];

/// The tables of this family.
pub(super) fn tables() -> Vec<Table> {
    vec![endpoint(), message(), filter(), step(), image(), job()]
}

fn endpoint() -> Table {
    let columns = vec![
        text("Name", 200).required(),
        url("Url", 1000),
        choice("Contract", CONTRACT).required(),
        choice("AuthType", AUTHENTICATION),
        memo("AuthValue", 4000).secret(),
        choice("MessageFormat", &[(1, "Binary XML"), (2, "JSON"), (3, "Text XML")]),
        choice("UserClaim", &[(1, "None"), (2, "UserId")]),
        choice("ConnectionMode", &[(1, "Normal"), (2, "Federated")]),
        text("Path", 160),
        memo("Description", 1000),
    ];
    table("ServiceEndpoint", "serviceendpoints", "name", 4618, &[], columns)
}

fn message() -> Table {
    let columns = vec![text("Name", 256).required(), text("CategoryName", 25)];
    table("SdkMessage", "sdkmessages", "name", 4606, &[], columns)
}

fn filter() -> Table {
    let columns = vec![
        text("Name", 256),
        lookup("SdkMessageId", &["sdkmessage"]).collections(&["sdkmessageid_sdkmessagefilter"]),
        text("PrimaryObjectTypeCode", 64),
        text("SecondaryObjectTypeCode", 64),
        boolean("IsCustomProcessingStepAllowed"),
    ];
    table("SdkMessageFilter", "sdkmessagefilters", "name", 4607, &[], columns)
}

fn step() -> Table {
    let columns = vec![
        text("Name", 256).required(),
        lookup("SdkMessageId", &["sdkmessage"]).collections(&["sdkmessageid_sdkmessageprocessingstep"]),
        lookup("SdkMessageFilterId", &["sdkmessagefilter"])
            .collections(&["sdkmessagefilterid_sdkmessageprocessingstep"]),
        lookup("EventHandler", &["plugintype", "serviceendpoint"])
            .collections(&["", "serviceendpoint_sdkmessageprocessingstep"])
            .cascading(),
        choice("Mode", &[(0, "Synchronous"), (1, "Asynchronous")]).required(),
        choice("Stage", &[(10, "Pre-validation"), (20, "Pre-operation"), (40, "Post-operation")]).required(),
        integer("Rank", 0, i64::from(i32::MAX)),
        memo("FilteringAttributes", 100_000),
        boolean("AsyncAutoDelete"),
        choice("SupportedDeployment", &[(0, "Server Only"), (1, "Outlook Client Only"), (2, "Both")]),
        memo("Configuration", 100_000),
        memo("Description", 256),
    ];
    table("SdkMessageProcessingStep", "sdkmessageprocessingsteps", "name", 4608, STEP_STATES, columns)
}

fn image() -> Table {
    let columns = vec![
        text("Name", 256),
        text("EntityAlias", 256).required(),
        memo("Attributes", 100_000),
        choice("ImageType", &[(0, "PreImage"), (1, "PostImage"), (2, "Both")]).required(),
        text("MessagePropertyName", 256).required(),
        lookup("SdkMessageProcessingStepId", &["sdkmessageprocessingstep"])
            .collections(&["sdkmessageprocessingstepid_sdkmessageprocessingstepimage"])
            .cascading(),
    ];
    table("SdkMessageProcessingStepImage", "sdkmessageprocessingstepimages", "name", 4615, &[], columns)
}

fn job() -> Table {
    let columns: Vec<Column> = vec![
        text("Name", 256),
        column("OperationType", Kind::Integer { min: 0, max: 1000 }),
        text("MessageName", 160),
        memo("Message", 100_000),
        text("PrimaryEntityType", 64),
        lookup("OwningExtensionId", &["sdkmessageprocessingstep"])
            .collections(&["sdkmessageprocessingstep_asyncoperations"])
            .cascading(),
    ];
    table("AsyncOperation", "asyncoperations", "name", 4700, JOB_STATES, columns).owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::dataverse::schema::Schema;

    #[test]
    fn a_step_is_bound_to_its_end_point_by_the_documented_name() {
        let schema = Schema::default();
        let step = schema.table("sdkmessageprocessingstep").unwrap();
        assert!(step.navigation("eventhandler_serviceendpoint").is_some());
        let endpoint = schema.table("serviceendpoint").unwrap();
        assert!(schema.collection(endpoint, "serviceendpoint_sdkmessageprocessingstep").is_some());
    }
}

//! What the Partner Center referrals solution adds: columns of the opportunity, and two tables.
//!
//! The column names were seen in exports of the opportunity table. The names of the two tables are not public; these
//! are the names cosell takes unless configured otherwise.

use super::build::{ACTIVE_INACTIVE, boolean, choice, lookup, memo, money, table, text, url};
use super::{Column, Options, Table};

/// The answers to "How can Microsoft help?", in the order of the documentation.
const HELP: Options = &[
    (299_600_000, "Workload specific value proposition"),
    (299_600_001, "Customer technical architecture"),
    (299_600_002, "Proof of concept or demo"),
    (299_600_003, "Quotes or licensing"),
    (299_600_004, "Post sales customer success"),
    (299_600_005, "General or other"),
];

/// The columns added to the opportunity.
pub(super) fn opportunity_columns() -> Vec<Column> {
    vec![
        boolean("msft_MicrosoftPartnerCenterReferralSync"),
        text("msft_MicrosoftPartnerCenterReferralIdentifier", 100),
        url("msft_MicrosoftPartnerCenterReferralLink", 300),
        choice("msft_MicrosoftPartnerCenterHelp", HELP),
        boolean("msft_MicrosoftPartnerCenterReferralVisible"),
        text("msft_MicrosoftCRMIdentifier", 100),
        text("msft_MicrosoftPartnerCenterSolutions", 4000),
        memo("msft_MicrosoftPartnerCenterReferralSyncAudit", 100_000),
        // A calculated column, as the field mapping guide suggests for the deal value: kept up to date in `write`.
        money("msft_WeightedValue").computed(),
    ]
}

/// The tables of this family.
pub(super) fn tables() -> Vec<Table> {
    vec![solution(), solution_detail()]
}

fn solution() -> Table {
    let columns = vec![
        text("msft_Name", 200),
        text("msft_SolutionId", 100),
        text("msft_Type", 50),
        lookup("msft_Opportunity", &["opportunity"]).collections(&["msft_opportunity_msft_partnercentersolution"]),
        lookup("msft_SolutionDetail", &["msft_solutiondetail"])
            .collections(&["msft_solutiondetail_msft_partnercentersolution"]),
    ];
    table("msft_PartnerCenterSolution", "msft_partnercentersolutions", "msft_name", 10_201, ACTIVE_INACTIVE, columns)
        .owned()
}

fn solution_detail() -> Table {
    let columns =
        vec![text("msft_Name", 200).required(), text("msft_SolutionId", 100).required(), text("msft_Type", 50)];
    table("msft_SolutionDetail", "msft_solutiondetails", "msft_name", 10_202, ACTIVE_INACTIVE, columns)
        .owned()
        .key("msft_solutionid_key", &["msft_solutionid"])
}

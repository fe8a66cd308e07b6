//! Opportunities, leads, and the activity that closes an opportunity (Dynamics 365 Sales table reference).

use super::build::{
    boolean, choice, column, date, email, integer, lookup, memo, money, phone, positive_money, table, text, url,
};
use super::customers::address;
use super::{Kind, Options, State, Table, partner_center};

const OPPORTUNITY_STATES: &[State] = &[
    State { value: 0, label: "Open", statuses: &[(1, "In Progress"), (2, "On Hold")] },
    State { value: 1, label: "Won", statuses: &[(3, "Won")] },
    State { value: 2, label: "Lost", statuses: &[(4, "Canceled"), (5, "Out-Sold")] },
];

const LEAD_STATES: &[State] = &[
    State { value: 0, label: "Open", statuses: &[(1, "New"), (2, "Contacted")] },
    State { value: 1, label: "Qualified", statuses: &[(3, "Qualified")] },
    State {
        value: 2,
        label: "Disqualified",
        statuses: &[(4, "Lost"), (5, "Cannot Contact"), (6, "No Longer Interested"), (7, "Canceled")],
    },
];

const CLOSE_STATES: &[State] = &[
    State { value: 0, label: "Open", statuses: &[(1, "Open")] },
    State { value: 1, label: "Completed", statuses: &[(2, "Completed")] },
    State { value: 2, label: "Canceled", statuses: &[(3, "Canceled")] },
];

const RATING: Options = &[(1, "Hot"), (2, "Warm"), (3, "Cold")];

const BUDGET_STATUS: Options = &[(0, "No Committed Budget"), (1, "May Buy"), (2, "Can Buy"), (3, "Will Buy")];

const TIMEFRAME: Options =
    &[(0, "Immediate"), (1, "This Quarter"), (2, "Next Quarter"), (3, "This Year"), (4, "Unknown")];

/// The tables of this family.
pub(super) fn tables() -> Vec<Table> {
    vec![opportunity(), lead(), opportunity_close()]
}

fn opportunity() -> Table {
    let mut columns = vec![
        text("Name", 300).required(),
        lookup("CustomerId", &["account", "contact"])
            .required_on_forms()
            .collections(&["opportunity_customer_accounts", "opportunity_customer_contacts"])
            .cascading(),
        lookup("ParentAccountId", &["account"]).collections(&["opportunity_parent_account"]),
        lookup("ParentContactId", &["contact"]).collections(&["opportunity_parent_contact"]),
        money("EstimatedValue"),
        money("ActualValue"),
        positive_money("BudgetAmount"),
        date("EstimatedCloseDate"),
        date("ActualCloseDate"),
        date("FinalDecisionDate"),
        memo("Description", 2000),
        email("EmailAddress", 100),
        text("StepName", 200),
        integer("CloseProbability", 0, 100),
        boolean("IsRevenueSystemCalculated"),
        lookup("OriginatingLeadId", &["lead"]).collections(&["opportunity_originating_lead"]),
        lookup("CampaignId", &["campaign"]),
        lookup("PriceLevelId", &["pricelevel"]),
        choice("SalesStage", &[(0, "Qualify"), (1, "Develop"), (2, "Propose"), (3, "Close")]),
        choice("OpportunityRatingCode", RATING),
        choice("PurchaseTimeframe", TIMEFRAME),
        choice("BudgetStatus", BUDGET_STATUS),
        choice(
            "TimeLine",
            &[(0, "Immediate"), (1, "This Quarter"), (2, "Next Quarter"), (3, "This Year"), (4, "Not known")],
        ),
    ];
    columns.extend(partner_center::opportunity_columns());
    table("Opportunity", "opportunities", "name", 3, OPPORTUNITY_STATES, columns).owned().locks_when_closed()
}

fn lead() -> Table {
    let mut columns = vec![
        text("Subject", 300).required(),
        text("FirstName", 50).recommended(),
        text("LastName", 50).required(),
        text("FullName", 160).computed(),
        text("CompanyName", 100).recommended(),
        text("JobTitle", 100),
        email("EMailAddress1", 100),
        phone("Telephone1", 50),
        phone("MobilePhone", 20),
        url("WebSiteUrl", 200),
    ];
    columns.extend(address());
    columns.extend([
        positive_money("BudgetAmount"),
        positive_money("EstimatedAmount"),
        positive_money("Revenue"),
        column("EstimatedValue", Kind::Double { min: 0.0, max: 1_000_000_000.0, precision: 2 }),
        date("EstimatedCloseDate"),
        memo("Description", 2000),
        integer("NumberOfEmployees", 0, 1_000_000),
        lookup("ParentAccountId", &["account"]).collections(&["lead_parent_account"]),
        lookup("ParentContactId", &["contact"]).collections(&["lead_parent_contact"]),
        lookup("CampaignId", &["campaign"]),
        lookup("QualifyingOpportunityId", &["opportunity"]),
        choice(
            "LeadSourceCode",
            &[
                (1, "Advertisement"),
                (2, "Employee Referral"),
                (3, "External Referral"),
                (4, "Partner"),
                (5, "Public Relations"),
                (6, "Seminar"),
                (7, "Trade Show"),
                (8, "Web"),
                (9, "Word of Mouth"),
                (10, "Other"),
            ],
        ),
        choice("LeadQualityCode", RATING),
        choice("BudgetStatus", BUDGET_STATUS),
        choice("PurchaseTimeFrame", TIMEFRAME),
    ]);
    table("Lead", "leads", "subject", 4, LEAD_STATES, columns).owned().locks_when_closed()
}

fn opportunity_close() -> Table {
    let columns = vec![
        text("Subject", 200).required(),
        lookup("OpportunityId", &["opportunity"]).collections(&["Opportunity_OpportunityClose"]).cascading(),
        positive_money("ActualRevenue"),
        date("ActualEnd"),
        memo("Description", 2000),
    ];
    let mut table = table("OpportunityClose", "opportunitycloses", "subject", 4208, CLOSE_STATES, columns).owned();
    // An activity: its key is the one all activities share.
    if let Some(key) = table.columns.first_mut() {
        "ActivityId".clone_into(&mut key.schema);
        "activityid".clone_into(&mut key.logical);
        "activityid".clone_into(&mut table.primary_id);
    }
    table
}

//! Accounts and contacts (Dataverse table reference).

use super::build::{
    ACTIVE_INACTIVE, boolean, choice, email, integer, lookup, memo, phone, positive_money, table, text, url,
};
use super::{Column, Options, Table};

const CUSTOMER_TYPE: Options = &[
    (1, "Competitor"),
    (2, "Consultant"),
    (3, "Customer"),
    (4, "Investor"),
    (5, "Partner"),
    (6, "Influencer"),
    (7, "Press"),
    (8, "Prospect"),
    (9, "Reseller"),
    (10, "Supplier"),
    (11, "Vendor"),
    (12, "Other"),
];

const INDUSTRY: Options = &[
    (1, "Accounting"),
    (2, "Agriculture and Non-petrol Natural Resource Extraction"),
    (3, "Broadcasting Printing and Publishing"),
    (4, "Brokers"),
    (5, "Building Supply Retail"),
    (6, "Business Services"),
    (7, "Consulting"),
    (8, "Consumer Services"),
    (9, "Design, Direction and Creative Management"),
    (10, "Distributors, Dispatchers and Processors"),
    (11, "Doctor's Offices and Clinics"),
    (12, "Durable Manufacturing"),
    (13, "Eating and Drinking Places"),
    (14, "Entertainment Retail"),
    (15, "Equipment Rental and Leasing"),
    (16, "Financial"),
    (17, "Food and Tobacco Processing"),
    (18, "Inbound Capital Intensive Processing"),
    (19, "Inbound Repair and Services"),
    (20, "Insurance"),
    (21, "Legal Services"),
    (22, "Non-Durable Merchandise Retail"),
    (23, "Outbound Consumer Service"),
    (24, "Petrochemical Extraction and Distribution"),
    (25, "Service Retail"),
    (26, "SIG Affiliations"),
    (27, "Social Services"),
    (28, "Special Outbound Trade Contractors"),
    (29, "Specialty Realty"),
    (30, "Transportation"),
    (31, "Utility Creation and Distribution"),
    (32, "Vehicle Retail"),
    (33, "Wholesale"),
];

/// The tables of this family.
pub(super) fn tables() -> Vec<Table> {
    vec![account(), contact()]
}

/// The first address of a row, with its computed whole.
pub(super) fn address() -> Vec<Column> {
    vec![
        text("Address1_Line1", 250),
        text("Address1_Line2", 250),
        text("Address1_Line3", 250),
        text("Address1_City", 80),
        text("Address1_StateOrProvince", 50),
        text("Address1_PostalCode", 20),
        text("Address1_Country", 80),
        memo("Address1_Composite", 1000).computed(),
    ]
}

fn account() -> Table {
    let mut columns = vec![
        text("Name", 160).required(),
        text("AccountNumber", 20),
        email("EMailAddress1", 100),
        phone("Telephone1", 50),
        url("WebSiteURL", 200),
        memo("Description", 2000),
        integer("NumberOfEmployees", 0, 1_000_000_000),
        positive_money("Revenue"),
        choice("IndustryCode", INDUSTRY),
        choice("CustomerTypeCode", CUSTOMER_TYPE),
        lookup("PrimaryContactId", &["contact"]).collections(&["account_primary_contact"]),
        lookup("ParentAccountId", &["account"]).collections(&["account_parent_account"]),
        boolean("DoNotEMail"),
    ];
    columns.extend(address());
    table("Account", "accounts", "name", 1, ACTIVE_INACTIVE, columns).owned()
}

fn contact() -> Table {
    let mut columns = vec![
        text("FirstName", 50).recommended(),
        text("LastName", 50).required(),
        text("FullName", 160).computed(),
        text("JobTitle", 100),
        email("EMailAddress1", 100),
        phone("Telephone1", 50),
        phone("MobilePhone", 50),
        text("Department", 100),
        memo("Description", 2000),
        lookup("ParentCustomerId", &["account", "contact"])
            .collections(&["contact_customer_accounts", "contact_customer_contacts"])
            .cascading(),
        boolean("DoNotEMail"),
    ];
    columns.extend(address());
    table("Contact", "contacts", "fullname", 2, ACTIVE_INACTIVE, columns).owned()
}

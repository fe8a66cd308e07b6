//! The deals: the list, what one shows, and synchronising it now.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod people;
#[path = "../support/mod.rs"]
mod support;
mod world;

use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use world::{Deals, OPPORTUNITY, REFERRAL, REFERRALS, referral};

const HOSTILE: &str = "<script>alert(1)</script>\"'& \u{202e}لا\u{2066}";

/// A page as it is read: a line for each row of a table and for each other part, without marks of pictures.
fn text(page: &str) -> String {
    let main = page.split("<main").nth(1).unwrap().split_once('>').unwrap().1;
    let mut lines = String::new();
    let mut rest = main.split("</main>").next().unwrap();
    while let Some((before, after)) = rest.split_once('<') {
        let (tag, after) = after.split_once('>').unwrap();
        lines.push_str(before);
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        let is_end = tag.starts_with('/');
        match name {
            "td" | "th" if is_end => lines.push_str(" | "),
            "dt" if is_end => lines.push_str(": "),
            "tr" if !is_end => {
                let class = tag.split("class=\"").nth(1).and_then(|class| class.split('"').next());
                lines.push_str(&class.map_or_else(|| "\n".to_owned(), |class| format!("\n[{class}] ")));
            }
            "p" | "h1" | "h2" | "dt" | "li" | "section" | "form" if !is_end => lines.push('\n'),
            "div" if !is_end => lines.push(' '),
            _ => {}
        }
        rest = after;
    }
    let tidy = lines.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    tidy.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn shows(name: &str, page: &str) {
    let filters = vec![(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "[time]"), (r"\d+(\.\d+)? (ms|s|µs)\b", "[took]")];
    insta::with_settings!({ prepend_module_to_snapshot => false, filters => filters }, {
        insta::assert_snapshot!(name, text(page));
    });
}

fn deal(id: &str) -> String {
    format!("/console/deals/{id}")
}

#[tokio::test]
async fn deals_are_listed_with_their_partner_and_their_last_run() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    assert!(visitor.page("/console/deals").await.contains("No deal has been synchronised yet."));
    deals.pair(HOSTILE).await;
    deals.run(REFERRAL).await;
    deals.keep("deal/old", json!({ "lead_id": "lead-1" })).await;
    deals.keep("deal/alone", json!(null)).await;
    deals.keep("opportunity/x", json!("no deal")).await;
    let page = visitor.page("/console/deals").await;
    shows("deals", &page);
    assert!(page.contains("<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp; "), "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    assert!(page.contains("data-news=\"/console/events\""), "{page}");
}

#[tokio::test]
async fn deals_are_found_by_words_and_by_whole_ids_of_either_side() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    deals.keep("deal/other", json!({ "name": "Warm <b>stores</b>", "customer": "Grün AG" })).await;
    let found = async |query: &str| {
        let page = visitor.page(&format!("/console/deals?text={query}")).await;
        [page.contains("Cold stores"), page.contains("Warm &lt;b&gt;stores")]
    };
    assert_eq!(found("STORES").await, [true, true]);
    assert_eq!(found("gr%C3%BCn").await, [false, true]);
    assert_eq!(found("fabrikam+cold").await, [true, false]);
    assert_eq!(found("%3Cscript%3E").await, [false, false]);
    for id in [REFERRAL.to_uppercase(), OPPORTUNITY.to_owned()] {
        let answer = visitor.request(Method::GET, &format!("/console/deals?text={id}")).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()[LOCATION]), (303, &deal(REFERRAL).parse().unwrap()));
    }
    let unknown = "00000000-0000-4000-8000-000000000001";
    let page = visitor.page(&format!("/console/deals?text={unknown}")).await;
    assert!(page.contains(&format!("href=\"{}\"", deal(unknown))), "it can be looked for elsewhere: {page}");
}

#[tokio::test]
async fn pages_of_deals_follow_each_other() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    for number in 0..30 {
        deals.keep(&format!("deal/{number:02}"), json!({ "name": format!("Deal {number:02}") })).await;
    }
    let first = visitor.page("/console/deals").await;
    assert_eq!((first.contains("Deal 29"), first.contains("Deal 05"), first.contains("Deal 04")), (true, true, false));
    let older = first.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let last = visitor.page(older).await;
    assert_eq!((last.contains("Deal 05"), last.contains("Deal 04"), last.contains("Deal 00")), (false, true, true));
    assert!(!last.contains("rel=\"next\""), "{last}");
    let newer = last.split("rel=\"prev\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let again = visitor.page(newer).await;
    let table = |page: &str| page.split("<tbody>").nth(1).unwrap().split("</table>").next().unwrap().to_owned();
    assert_eq!(table(&again), table(&first), "{newer}");
    assert!(!again.contains("rel=\"prev\"") && again.contains("rel=\"first\"") && !first.contains("rel=\"first\""));

    // What the page behind began with was touched, and is now the newest.
    let first_of_last = newer.split("before=").nth(1).unwrap();
    deals.keep(&format!("deal/{first_of_last}"), json!({ "name": "touched" })).await;
    assert_eq!(visitor.look(newer).await.0, 303, "to where it is now");
}

#[tokio::test]
async fn a_deal_shows_both_sides_what_was_agreed_and_what_follows() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair(HOSTILE).await;
    deals.run(REFERRAL).await;
    let page = visitor.page(&deal(REFERRAL)).await;
    assert!(!page.contains("<script>alert") && !page.contains("<account>"), "{page}");
    shows("deal_in_step", &page);

    deals.referral(|referral| {
        referral["details"]["dealValue"] = json!(90_000);
        referral["details"]["notes"] = json!("Four sites.");
    });
    deals.opportunity(|row| {
        row["description"] = json!("Five sites.");
        row["estimatedclosedate"] = json!("2027-02-26");
        row["name"] = json!(format!("✖ {HOSTILE}"));
        row["solutions"] = json!([{ "id": "S1", "name": "ColdTrack" }, { "id": "S2", "name": "DockPlan" }]);
    });
    shows("deal_in_conflict", &visitor.page(&deal(REFERRAL)).await);

    deals.opportunity(|row| row["msft_microsoftpartnercenterreferralsync"] = json!(false));
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(page.contains("2 values will go to the CRM. Both sides"), "{page}");
    assert!(page.contains("stays They differ. “Sync with Partner Center” is not set to Yes"), "{page}");
    deals.opportunity(|row| row["statecode"] = json!(2));
    deals.referral(|referral| referral["status"] = json!("Closed"));
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(
        page.contains("Partner Center has closed the deal") && page.contains("The CRM has closed the deal"),
        "{page}"
    );
    assert!(page.contains("in step Nothing is to be written"), "{page}");
}

#[tokio::test]
async fn one_value_that_cannot_be_taken_over_keeps_the_deal_from_both_sides() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    deals.referral(|referral| {
        referral["details"]["dealValue"] = json!(90_000);
        referral["inviteContext"] = json!({ "assistanceRequestCode": "<Nobody>" });
    });
    let page = text(&visitor.page(&deal(REFERRAL)).await);
    assert!(page.contains("stuck 1 value cannot be taken over.") && !page.contains("will go"), "{page}");
    assert!(page.contains("cannot be taken over its table has no &quot;&lt;Nobody&gt;&quot;; it has"), "{page}");
    let page = visitor.page(&format!("{}/synchronise?from=referral", deal(REFERRAL))).await;
    assert!(page.contains("the run will fail and write nothing"), "{page}");
}

#[tokio::test]
async fn a_deal_is_known_by_its_opportunity_too() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    assert_eq!(visitor.look(&deal(OPPORTUNITY)).await.0, 303, "as the deal is kept");
    deals.keep(&format!("deal/{REFERRAL}"), json!({})).await;
    let answer = visitor.request(Method::GET, &deal(OPPORTUNITY)).send().await.unwrap();
    assert_eq!(answer.headers()[LOCATION], *deal(REFERRAL), "as the opportunity itself says");
    assert!(visitor.page(&deal(REFERRAL)).await.contains("Side by side"));
    assert_eq!(visitor.look(&deal("00000000-0000-4000-8000-000000000001")).await.0, 404);
    assert_eq!(visitor.look(&deal("%22%3E%3Cscript%3E")).await.0, 404);
}

#[tokio::test]
async fn a_side_that_is_down_or_gone_or_was_never_there_is_told_and_the_other_shown() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    deals.world(|world| world.down.insert("dataverse"));
    shows("deal_with_the_crm_down", &visitor.page(&deal(REFERRAL)).await);
    deals.world(|world| world.down = ["partner_center"].into());
    let page = visitor.page(&deal(REFERRAL)).await;
    assert!(page.contains("partner_center is &lt;down&gt;") && page.contains("84,000"), "{page}");
    deals.world(|world| {
        world.down.clear();
        world.rows.clear();
    });
    assert!(visitor.page(&deal(REFERRAL)).await.contains("The CRM has no such row any more."));
    deals.keep(&format!("deal/{REFERRAL}"), json!({ "name": "Cold stores" })).await;
    assert!(visitor.page(&deal(REFERRAL)).await.contains("no opportunity or lead that is linked"));
    let row = json!({ "opportunityid": "op-2", "name": "Never sent", "statecode": 0 });
    deals.world(|world| world.rows.push(("opportunity".to_owned(), row)));
    let page = visitor.page(&deal("op-2")).await;
    assert!(page.contains("has not been sent to Partner Center") && page.contains("Never sent"), "{page}");
    assert!(page.contains("from=opportunity") && !page.contains("from=referral"), "{page}");
}

#[tokio::test]
async fn a_lead_is_compared_by_its_own_mapping() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    let mut new = referral("Cold stores");
    (new["externalReferenceId"], new["substatus"]) = (json!(null), json!("Received"));
    let lead = json!({
        "leadid": "lead-1", "subject": "Cold stores", "statecode": 0, "statuscode": 1, "companyname": "Fabrikam, Inc.",
        "estimatedamount": 80_000, "estimatedclosedate": "2027-01-29", "description": "Three sites.",
        "transactioncurrencyid": { "id": "c-1" },
    });
    let currency = json!({ "transactioncurrencyid": "c-1", "isocurrencycode": "EUR" });
    deals.world(|world| {
        world.referrals.insert(REFERRAL.to_owned(), new);
        world.rows = vec![("lead".to_owned(), lead), ("transactioncurrency".to_owned(), currency)];
    });
    deals.keep(&format!("deal/{REFERRAL}"), json!({ "lead_id": "lead-1" })).await;
    shows("deal_as_a_lead", &visitor.page(&deal(REFERRAL)).await);
}

#[tokio::test]
async fn what_a_flow_keeps_out_of_records_is_shown_nowhere() {
    let flow =
        REFERRALS.replace("use: partner_center.get_referral,", "use: partner_center.get_referral, sensitive: true,");
    let deals = Deals::with(&flow).await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Secret stores").await;
    deals.referral(|referral| {
        referral["details"]["dealValue"] = json!(4711);
        referral["inviteContext"] = json!({ "assistanceRequestCode": "Sekret" });
    });
    deals.opportunity(|row| {
        row["name"] = json!("Public name");
        row["description"] = json!("Public notes");
    });
    for path in [
        "/console/deals",
        "/console/deals?text=secret",
        &deal(REFERRAL),
        &format!("{}/synchronise?from=referral", deal(REFERRAL)),
    ] {
        let page = visitor.page(path).await;
        for secret in ["Secret", "4711", "4,711", "Fabrikam", "Sekret", "Three sites"] {
            assert!(!page.contains(secret), "{secret} at {path}: {page}");
        }
    }
    let page = visitor.page(&deal(REFERRAL)).await;
    assert!(page.contains("Public name") && page.contains("partner-center-to-dynamics/referral"), "{page}");
    assert!(page.contains("goes to the CRM"), "that they differ is no secret: {page}");
}

#[tokio::test]
async fn a_deal_is_synchronised_now_once_somebody_says_so() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair(HOSTILE).await;
    deals.referral(|referral| referral["details"]["dealValue"] = json!(90_000));
    let ask = format!("{}/synchronise?from=referral", deal(REFERRAL));
    shows("synchronise", &visitor.page(&ask).await);
    let runs = async || deals.stand.api.runs(Default::default()).await.unwrap().runs;
    assert!(runs().await.is_empty(), "nothing has been done yet");

    let act = format!("{}/synchronise", deal(REFERRAL));
    let done = visitor.act(&act, &[("from", "referral"), ("subject", REFERRAL)]).await;
    assert_eq!(done, (303, format!("{}#runs", deal(REFERRAL))));
    let done = visitor.act(&act, &[("from", "opportunity"), ("subject", OPPORTUNITY)]).await;
    assert_eq!(done.0, 303);
    deals.stand.dispatcher.idle().await;
    deals.stand.journal.flushed().await.unwrap();
    let mut begun = Vec::new();
    for run in runs().await {
        let shown = deals.stand.api.shown(&run.run).await.unwrap();
        begun.push((run.flow, run.outcome.unwrap(), shown.trigger));
    }
    begun.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(begun[0].2["id"], OPPORTUNITY);
    assert_eq!(begun[1].2["event"], "related-referral-updated");
    assert!(begun.iter().all(|(_, outcome, _)| outcome == "succeeded"), "{begun:?}");
    assert_eq!(begun.len(), 2);

    for (from, status) in [("nobody", 400), ("", 400)] {
        assert_eq!(visitor.look(&format!("{act}?from={from}")).await.0, status);
        assert_eq!(visitor.act(&act, &[("from", from)]).await.0, status);
    }
    let missing = visitor.act(&act, &[("from", "referral"), ("subject", "nobody's")]).await;
    assert_eq!(missing.0, 502, "{missing:?}");
}

#[tokio::test]
async fn an_open_page_that_asks_for_itself_reads_anew_only_once_something_happened_to_the_deal() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    deals.pair("Cold stores").await;
    let reads = async |mode: &str| {
        let before = deals.world(|world| world.reads);
        let asked = visitor.request(Method::GET, &deal(REFERRAL)).header("sec-fetch-mode", mode);
        assert_eq!(asked.send().await.unwrap().status(), 200);
        deals.world(|world| world.reads) - before
    };
    assert_eq!((reads("navigate").await, reads("cors").await, reads("cors").await), (1, 0, 0));
    assert_eq!(reads("navigate").await, 1, "somebody wants to see it as it is");
    deals.run("another").await;
    assert_eq!(reads("cors").await, 0);
    deals.run(REFERRAL).await;
    assert_eq!((reads("cors").await, reads("cors").await), (1, 0));
}

/// Old values have no name, and flows of one's own may keep anything.
#[tokio::test]
async fn whatever_is_kept_of_a_deal_is_shown_somehow() {
    let deals = Deals::new().await;
    let visitor = deals.stand.visitor().await;
    for (number, value) in
        [Value::Null, json!(1), json!([1]), json!({ "name": 5, "opportunity_id": {}, "agreed": "x", "solutions": 7 })]
            .into_iter()
            .enumerate()
    {
        deals.world(|world| {
            world.referrals.insert(format!("r{number}"), json!({ "id": 1, "details": [], "name": {} }));
        });
        deals.keep(&format!("deal/r{number}"), value).await;
        assert!(visitor.page(&deal(&format!("r{number}"))).await.contains("A deal without a name"), "{number}");
    }
    let page = visitor.page("/console/deals").await;
    assert!((0..4).all(|number| page.contains(&deal(&format!("r{number}")))), "{page}");
}

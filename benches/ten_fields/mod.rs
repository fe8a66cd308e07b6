//! A mapping of ten fields written by hand over `serde_json`: what the same is measured against that is declared.

#![allow(unreachable_pub)]

use cosell_model::Value;
use serde_json::json;

/// A referral's ten fields as an opportunity has them.
pub fn mapped(referral: &Value) -> Value {
    let text = |value: &Value, length: usize| {
        let text = value.as_str().unwrap_or_default();
        if text.chars().count() > length { text.chars().take(length).collect::<String>() } else { text.to_owned() }
    };
    let details = &referral["details"];
    let address = &referral["customerProfile"]["address"];
    let closing: jiff::Timestamp = details["closingDateTime"].as_str().unwrap().parse().unwrap();
    let country = address["country"].as_str().unwrap();
    assert!(country.len() == 2);
    let status = match referral["substatus"].as_str().unwrap() {
        "Accepted" => 1,
        "Received" => 2,
        "Won" => 3,
        _ => 5,
    };
    json!({
        "name": text(&referral["name"], 300),
        "estimatedvalue": (details["dealValue"].as_f64().unwrap() * 100.0).round() / 100.0,
        "currency": details["currency"],
        "estimatedclosedate": closing.to_zoned(jiff::tz::TimeZone::UTC).date().to_string(),
        "description": text(&details["notes"], 2000),
        "city": address["city"],
        "country": country.to_ascii_uppercase(),
        "customer": referral["customerProfile"]["name"],
        "visible": referral["consent"]["share"],
        "statuscode": status,
    })
}

//! The status machine ("Referral resources", ReferralStatus and ReferralSubstatus).

use super::problem::Problem;

/// Statuses, each with what it may become and with its substatuses.
const TABLE: [(&str, &[&str], &[&str]); 3] = [
    ("New", &["New", "Active", "Closed"], &["Pending", "Received"]),
    ("Active", &["Active", "Closed"], &["Accepted"]),
    ("Closed", &["Closed"], &["Won", "Lost", "Declined", "Expired"]),
];

/// Checks the step from one status to the next, and that the substatus belongs to it: the end state counts, not the way a
/// document of several operations took.
pub(super) fn check(from: &str, status: &str, substatus: &str) -> Result<(), Problem> {
    let row = |name: &str| TABLE.iter().find(|(status, ..)| *status == name);
    let Some((_, _, substatuses)) = row(status) else {
        return Err(Problem::invalid("status", format!("Status '{status}' is not one of New, Active, Closed.")));
    };
    if !row(from).is_some_and(|(_, next, _)| next.contains(&status)) {
        return Err(Problem::invalid("status", format!("A referral that is {from} cannot become {status}.")));
    }
    if !substatuses.contains(&substatus) {
        return Err(Problem::invalid(
            "substatus",
            format!(
                "Substatus '{substatus}' does not belong to status {status}, which allows {}. Send status and substatus \
                 together.",
                substatuses.join(", ")
            ),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds() {
        let statuses = ["None", "New", "Active", "Closed"];
        let substatuses = ["None", "Pending", "Received", "Accepted", "Won", "Lost", "Declined", "Expired"];
        let mut allowed = Vec::new();
        for from in statuses {
            for status in statuses {
                for substatus in substatuses {
                    if check(from, status, substatus).is_ok() {
                        allowed.push(format!("{from}>{status}/{substatus}"));
                    }
                }
            }
        }
        let expected = "New>New/Pending New>New/Received New>Active/Accepted New>Closed/Won New>Closed/Lost \
            New>Closed/Declined New>Closed/Expired Active>Active/Accepted Active>Closed/Won Active>Closed/Lost \
            Active>Closed/Declined Active>Closed/Expired Closed>Closed/Won Closed>Closed/Lost Closed>Closed/Declined \
            Closed>Closed/Expired";
        assert_eq!(allowed.join(" "), expected);
    }
}

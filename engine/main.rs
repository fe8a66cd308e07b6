//! The program: the list of connectors, handed to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    cosell_cli::main(vec![
        cosell_partner_center::connector(),
        cosell_partner_center_events::connector(),
        cosell_dataverse::connector(),
        cosell_http::connector(),
        cosell_state::connector(),
    ])
}

//! The program: the list of connectors, handed to the command line.

fn main() {}

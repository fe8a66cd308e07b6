//! The command line of cosell, one file a command.

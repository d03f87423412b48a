//! An alarm becomes a message in Slack and on SNS.

fn main() -> std::process::ExitCode {
    wharf_shell::block_on(wharf_on_alarm::main())
}

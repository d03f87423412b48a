//! An image that was pushed becomes a rollout.

use std::process::ExitCode;

fn main() -> ExitCode {
    wharf_shell::block_on(wharf_on_image_push::main())
}

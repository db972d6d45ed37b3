//! What every tljh program shares at the terminal.
//!
//! An error is printed as `error:`, its sources as `caused by:`, and one command that helps as `hint:`,
//! all on standard error; standard output is for data. Exit codes: 0 done, 1 refused or failed, 2 usage
//! (clap's own). Manual pages and completions are rendered from the same clap types that parse the
//! command line. Nothing here reads or changes the machine.

mod docs;
mod logging;
mod question;
mod report;
mod secret;

pub use docs::{RenderError, render_docs};
pub use logging::{Verbosity, init_logging, init_logging_beside, init_service_logging};
pub use question::ask;
pub use report::{Hinted, finish, render_error};
pub use secret::Secret;

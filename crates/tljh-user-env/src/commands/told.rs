//! What people are told before and after a change, whichever command makes it.

use std::fmt::{Display, Write as _};

use crate::named::EnvironmentName;

const KEPT: &str = "servers and kernels that run keep the one that they started with";
const WAY_BACK: &str = "(`sudo tljh-user-env rollback` goes back)";

/// The plan, of everybody's environment or of the one of `name`; of many steps only `shown`.
pub fn plan<Step: Display>(steps: &[Step], name: Option<&EnvironmentName>, shown: usize) {
    let mut text = match name {
        Some(name) => format!("this changes the environment `{name}`:"),
        None => String::from("this changes the environment of everybody:"),
    };
    for step in steps.iter().take(shown) {
        let _ = write!(text, "\n  {step}");
    }
    if steps.len() > shown {
        let _ = write!(text, "\n  {} more", steps.len() - shown);
    }
    log::info!("{text}");
}

/// A new generation is active.
pub fn active(number: u64) {
    log::info!("generation {number} is active; {KEPT}\n{WAY_BACK}");
}

/// One is, and of another Python.
pub fn active_with_python(number: u64, python: &str) {
    log::info!("generation {number} is active, with Python {python}; {KEPT}\n{WAY_BACK}");
}

/// An earlier one is.
pub fn active_again(number: u64) {
    log::info!("generation {number} is active; {KEPT}");
}

//! Linux accounts of hub users.
//!
//! An account is made at its user's first spawn, recorded before it exists, and never taken over from
//! somebody else: an account, group or home that we did not record is refused.

mod ensure;
mod home;
mod name;
mod recorded;

pub use ensure::{Account, AccountError, Rights, ensure_account};
pub use name::AccountName;
pub use recorded::{Recorded, record_account, upstreams_accounts};

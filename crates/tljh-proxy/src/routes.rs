//! Where requests go.
//!
//! A route is a path prefix, unescaped, and a target. The longest prefix that matches whole path segments wins.
//! A change is on disk before it is made, and made before its caller goes on. One process changes the routes; one that
//! has handed over to it follows what it finds on disk.

mod journal;
mod paths;
mod route;
mod store;
mod table;

pub use route::{Route, TargetError, parse_time};
pub use store::Store;
pub use table::{ChangeError, Rules, Table};

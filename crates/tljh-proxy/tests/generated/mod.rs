//! Requests made out of bytes that choose, and what must hold for each of them. Tests choose by a seeded generator, the
//! fuzz targets by what libFuzzer comes up with.

#![allow(
    dead_code,
    reason = "each of those who share this takes what it is after"
)]

pub mod calls;
mod choices;
mod chunks;
pub mod compare;
mod first_line;
mod headers;
mod nginx;
mod recorder;
mod requests;

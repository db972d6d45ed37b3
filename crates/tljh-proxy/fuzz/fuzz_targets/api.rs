//! Whatever the calls are, none fails by our fault, and the table is what was told.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tljh_proxy_fuzz::Proxy;

static PROXY: OnceLock<Proxy> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let proxy = PROXY.get_or_init(Proxy::start);
    if let Err(why) = proxy.api(&proxy.routes()).call_chosen(data) {
        panic!("{why}");
    }
});

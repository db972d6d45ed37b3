//! Nothing comes through that nginx refuses or reads differently. The bytes are sent as they are.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tljh_proxy_fuzz::generated::compare::Sides;
use tljh_proxy_fuzz::{PATIENCE, Proxy};

static SIDES: OnceLock<(Proxy, Sides)> = OnceLock::new();

fuzz_target!(|data: &[u8]| {
    let (_, sides) = SIDES.get_or_init(|| {
        let proxy = Proxy::start();
        let sides = Sides::start(PATIENCE, |backend| proxy.lead_to(backend));
        (proxy, sides)
    });
    if let Err(why) = sides.compare(data) {
        panic!("{why}");
    }
});

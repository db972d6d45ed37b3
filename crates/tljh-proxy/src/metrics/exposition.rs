//! The figures in Prometheus's text format, version 0.0.4.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::MetricType;
use prometheus::proto::{Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily};
use prometheus::{TEXT_FORMAT, TextEncoder};

use super::counts::{BOUNDS, CLASSES, Call, Figure, Thing, Upstream, total};
use super::process::State;
use crate::fault::Fault;
use crate::https::Https;
use crate::routes::Table;

/// The media type of what is shown.
pub const TEXT: &str = TEXT_FORMAT;

/// Shows the figures of this process.
pub struct Exposition {
    table: Arc<Table>,
    https: Arc<Https>,
    started: SystemTime,
}

impl Exposition {
    /// For a process that starts now, with these routes.
    pub fn new(table: Arc<Table>, https: Arc<Https>) -> Self {
        Self {
            table,
            https,
            started: SystemTime::now(),
        }
    }

    /// All figures as they are now.
    pub async fn render(&self) -> String {
        let mut families = requests();
        families.extend(connections());
        families.extend(self.state().await);
        families.extend(self.process());
        // Without a sample a name has nothing to say, and the encoder refuses it.
        families.retain(|family| !family.get_metric().is_empty());
        let text = TextEncoder::new().encode_to_string(&families);
        text.unwrap_or_else(|error| {
            log::warn!("could not show the figures: {error}");
            String::new()
        })
    }

    async fn state(&self) -> Vec<MetricFamily> {
        let status = self.https.status().get().await;
        let end = status.certificate.map(|facts| seconds(facts.not_after));
        vec![
            gauges(
                "tljh_proxy_routes",
                "Routes that the hub has told.",
                [(vec![], self.table.current().len() as f64)],
            ),
            gauges(
                "tljh_proxy_certificate_expiry_timestamp_seconds",
                "When the certificate for HTTPS expires, in seconds since 1970.",
                end.map(|end| (vec![], end)),
            ),
            gauges(
                "tljh_proxy_certificate_failures",
                "How often in a row a certificate could not be had or read.",
                [(vec![], f64::from(status.failures))],
            ),
            gauges(
                "tljh_proxy_build_info",
                "Always 1; the label tells the version.",
                [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)],
            ),
        ]
    }

    fn process(&self) -> Vec<MetricFamily> {
        let start = gauges(
            "process_start_time_seconds",
            "When the process started, in seconds since 1970.",
            [(vec![], seconds(self.started))],
        );
        let Ok(state) = State::read() else {
            return vec![start];
        };
        let gauge = |name, help, value| gauges(name, help, [(vec![], value)]);
        vec![
            start,
            counters(
                "process_cpu_seconds_total",
                "Processor time, of the user and of the system.",
                [(vec![], state.cpu)],
            ),
            gauge(
                "process_resident_memory_bytes",
                "Resident memory.",
                state.resident as f64,
            ),
            gauge(
                "process_virtual_memory_bytes",
                "Virtual memory.",
                state.virtual_size as f64,
            ),
            gauge(
                "process_open_fds",
                "Open descriptors.",
                state.descriptors as f64,
            ),
            gauges(
                "process_max_fds",
                "Descriptors that may be open.",
                state.max_descriptors.map(|most| (vec![], most as f64)),
            ),
            gauge("process_threads", "Threads.", state.threads as f64),
        ]
    }
}

fn requests() -> Vec<MetricFamily> {
    let answers = Upstream::ALL.into_iter().flat_map(|by| {
        codes().map(move |(class, code)| {
            let labels = vec![("upstream", upstream(by)), ("code", code)];
            (labels, total(Figure::Answers(by, class)) as f64)
        })
    });
    let faults = Fault::ALL.map(|fault| {
        let labels = vec![
            ("cause", fault.cause().as_str()),
            ("reason", fault.as_str()),
        ];
        (labels, total(Figure::Faults(fault)) as f64)
    });
    let calls = Call::ALL.into_iter().flat_map(|call| {
        let method = match call {
            Call::Get => "get",
            Call::Post => "post",
            Call::Delete => "delete",
            Call::Other => "other",
        };
        codes().map(move |(class, code)| {
            let labels = vec![("method", method), ("code", code)];
            (labels, total(Figure::Calls(call, class)) as f64)
        })
    });
    vec![
        counters(
            "tljh_proxy_requests_total",
            "Requests that were answered: by the hub, by a server, or by the proxy itself (none).",
            answers,
        ),
        family(
            "tljh_proxy_request_duration_seconds",
            "Time from the head of a request to the head of its answer.",
            MetricType::HISTOGRAM,
            Upstream::ALL.map(duration),
        ),
        counters(
            "tljh_proxy_failures_total",
            "What went wrong, and who caused it.",
            faults,
        ),
        counters(
            "tljh_proxy_api_requests_total",
            "Requests of the hub about routes.",
            calls,
        ),
    ]
}

fn connections() -> Vec<MetricFamily> {
    let both = [(Thing::Http, "http"), (Thing::Https, "https")];
    let begun = |thing| total(Figure::Begun(thing)) as f64;
    let under_way = |thing| {
        // In this order: what begins in between must not make it negative.
        let ended = total(Figure::Ended(thing));
        total(Figure::Begun(thing)).saturating_sub(ended) as f64
    };
    vec![
        counters(
            "tljh_proxy_connections_total",
            "Connections of clients.",
            both.map(|(thing, protocol)| (vec![("protocol", protocol)], begun(thing))),
        ),
        gauges(
            "tljh_proxy_open_connections",
            "Connections of clients that are open, WebSockets aside.",
            both.map(|(thing, protocol)| (vec![("protocol", protocol)], under_way(thing))),
        ),
        counters(
            "tljh_proxy_websockets_total",
            "Connections that became WebSockets.",
            [(vec![], begun(Thing::WebSocket))],
        ),
        gauges(
            "tljh_proxy_open_websockets",
            "WebSockets that are open.",
            [(vec![], under_way(Thing::WebSocket))],
        ),
        counters(
            "tljh_proxy_waited_requests_total",
            "Requests that had to wait for the hub.",
            [(vec![], begun(Thing::Wait))],
        ),
        gauges(
            "tljh_proxy_waiting_requests",
            "Requests that wait for the hub.",
            [(vec![], under_way(Thing::Wait))],
        ),
    ]
}

fn codes() -> impl Iterator<Item = (usize, &'static str)> {
    (1..=CLASSES).zip(["1xx", "2xx", "3xx", "4xx", "5xx"])
}

fn upstream(by: Upstream) -> &'static str {
    match by {
        Upstream::Hub => "hub",
        Upstream::Server => "server",
        Upstream::Proxy => "none",
    }
}

fn duration(by: Upstream) -> Metric {
    let mut count = 0;
    let mut buckets = Vec::new();
    for (number, bound) in BOUNDS.iter().chain(&[f64::INFINITY]).enumerate() {
        count += total(Figure::Bucket(by, number));
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(count);
        buckets.push(bucket);
    }
    // The encoder adds the last one.
    buckets.pop();
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(count);
    histogram.set_sample_sum(total(Figure::Nanoseconds(by)) as f64 / 1e9);
    let mut metric = labelled(vec![("upstream", upstream(by))]);
    metric.set_histogram(histogram);
    metric
}

type Labels = Vec<(&'static str, &'static str)>;

fn counters(
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels, f64)>,
) -> MetricFamily {
    let metrics = samples.into_iter().map(|(labels, value)| {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        metric
    });
    family(name, help, MetricType::COUNTER, metrics)
}

fn gauges(
    name: &str,
    help: &str,
    samples: impl IntoIterator<Item = (Labels, f64)>,
) -> MetricFamily {
    let metrics = samples.into_iter().map(|(labels, value)| {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        metric
    });
    family(name, help, MetricType::GAUGE, metrics)
}

fn labelled(labels: Labels) -> Metric {
    let pairs = labels.into_iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(name.into());
        pair.set_value(value.into());
        pair
    });
    Metric::from_label(pairs.collect())
}

fn family(
    name: &str,
    help: &str,
    kind: MetricType,
    metrics: impl IntoIterator<Item = Metric>,
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.into());
    family.set_help(help.into());
    family.set_field_type(kind);
    family.set_metric(metrics.into_iter().collect());
    family
}

fn seconds(time: SystemTime) -> f64 {
    let since = time.duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

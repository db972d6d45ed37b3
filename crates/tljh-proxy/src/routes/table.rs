//! All routes: found by request, changed one at a time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::task::spawn_blocking;

use super::paths::{key_of, path_of, prefixes, unescape};
use super::route::Route;
use super::store::{Stamp, Store};

/// An unescaped prefix. Each change of a route copies all of them.
type Key = Arc<[u8]>;

/// The routes at one moment.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    by_key: BTreeMap<Key, Arc<Route>>,
    /// Segments of the deepest route.
    depth: usize,
    hub: Option<(String, Arc<Route>)>,
}

/// How requests find their routes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// Prefixes begin with a host, as in `/hub.example/user/a`, but for `/`, which takes what no other matches.
    pub host_routing: bool,
    /// How long a request waits for the first route, or for a hub that restarts.
    pub hub_wait: Duration,
}

impl Routes {
    fn new(by_key: BTreeMap<Key, Arc<Route>>) -> Self {
        let depth = by_key
            .keys()
            .map(|key| key.iter().filter(|byte| **byte == b'/').count())
            .max();
        let hub = by_key.iter().find(|(_, route)| route.is_hub());
        let hub =
            hub.map(|(key, route)| (String::from_utf8_lossy(key).into_owned(), route.clone()));
        Self {
            by_key,
            depth: depth.unwrap_or_default(),
            hub,
        }
    }

    /// Whether there is no route at all.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// The route for a request target as it came, escapes and query included; behind `host` where hosts count.
    pub fn find(&self, target: &[u8], host: Option<&str>) -> Option<&Arc<Route>> {
        let mut path = unescape(path_of(target));
        if let Some(host) = host {
            path = [b"/", host.as_bytes(), &path].concat().into();
        }
        prefixes(&path, self.depth).find_map(|prefix| self.by_key.get(prefix))
    }

    /// The hub's own route, and its prefix.
    pub fn hub(&self) -> Option<(&str, &Arc<Route>)> {
        self.hub.as_ref().map(|(key, route)| (key.as_str(), route))
    }

    /// The route of exactly this prefix.
    pub fn get(&self, prefix: &str) -> Option<&Arc<Route>> {
        self.by_key.get(key_of(prefix).as_bytes())
    }

    /// The routes as the API lists them; with `before` only those last used before then, in milliseconds since 1970.
    pub fn to_json(&self, before: Option<i64>) -> Map<String, Value> {
        self.by_key
            .iter()
            .filter(|(_, route)| before.is_none_or(|before| route.last_activity() < before))
            .map(|(key, route)| (String::from_utf8_lossy(key).into_owned(), route.to_json()))
            .collect()
    }
}

/// A change that could not be made, and was not.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("could not write `{path}`")]
    Write { path: String, source: io::Error },
    #[error("another process takes over")]
    Frozen,
}

/// The routes, kept on disk.
#[derive(Debug)]
pub struct Table {
    routes: ArcSwap<Routes>,
    /// Held while a change is written and made.
    changing: tokio::sync::Mutex<()>,
    /// Whether another process is to change the routes, or does so.
    frozen: AtomicBool,
    /// The files whose routes these are, once another process changes them.
    follows: Mutex<Option<Stamp>>,
    store: Store,
    rules: Rules,
}

impl Table {
    /// The table as it was when it was last changed. Never fails: what cannot be used is left out with a warning.
    pub fn load(store: Store, rules: Rules) -> Self {
        let routes = read_routes(store.read(), &store, &Routes::default());
        Self {
            routes: ArcSwap::from_pointee(routes),
            changing: tokio::sync::Mutex::default(),
            frozen: AtomicBool::new(false),
            follows: Mutex::default(),
            store,
            rules,
        }
    }

    /// How requests find their routes.
    pub fn rules(&self) -> Rules {
        self.rules
    }

    /// The routes now.
    pub fn current(&self) -> Guard<Arc<Routes>> {
        self.routes.load()
    }

    /// Adds or replaces the route of `prefix`, on disk first. A route that is there already, the same in every respect, is
    /// only noted as used: this works on a full disk.
    ///
    /// # Errors
    /// The routes could not be written; nothing was changed.
    pub async fn add(&self, prefix: &str, route: Route) -> Result<(), ChangeError> {
        let _changing = self.begin_change().await?;
        let now = self.current();
        if let Some(there) = now.get(prefix).filter(|there| there.same_data(&route)) {
            there.touch();
            return Ok(());
        }
        let (key, route) = (key_of(prefix), Arc::new(route));
        let shown = route.to_json();
        let mut by_key = now.by_key.clone();
        by_key.insert(key.as_bytes().into(), route);
        self.replace(Routes::new(by_key), key, Some(shown)).await
    }

    /// Removes the route of exactly `prefix`, on disk first; false if there is none.
    ///
    /// # Errors
    /// The routes could not be written; nothing was changed.
    pub async fn remove(&self, prefix: &str) -> Result<bool, ChangeError> {
        let _changing = self.begin_change().await?;
        let key = key_of(prefix);
        let mut by_key = self.current().by_key.clone();
        if by_key.remove(key.as_bytes()).is_none() {
            return Ok(false);
        }
        let replaced = self.replace(Routes::new(by_key), key, None).await;
        replaced.map(|()| true)
    }

    async fn begin_change(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, ChangeError> {
        let changing = self.changing.lock().await;
        if self.is_frozen() {
            return Err(ChangeError::Frozen);
        }
        Ok(changing)
    }

    /// Refuses all changes from now on, and writes when each route was last used: another process is about to read that.
    ///
    /// # Errors
    /// The routes could not be written: what the other one reads is as it was at the last change.
    pub async fn freeze(&self) -> Result<(), ChangeError> {
        let _changing = self.changing.lock().await;
        self.frozen.store(true, Ordering::Release);
        self.write_now().await
    }

    /// Allows changes again.
    pub fn thaw(&self) {
        self.store.let_go();
        self.frozen.store(false, Ordering::Release);
    }

    /// Whether changes are refused.
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// Takes what another process has changed since, if these routes are its own by now. Costs a look at the files.
    pub fn follow(&self) {
        let mut follows = self.follows.lock();
        if *follows == Some(self.store.stamp()) {
            return;
        }
        if let Some((stamp, routes)) = self.store.look() {
            *follows = Some(stamp);
            let routes = read_routes(routes, &self.store, &self.current());
            self.routes.store(Arc::new(routes));
        }
    }

    /// When each route was last used, by its prefix, in milliseconds since 1970.
    pub fn last_uses(&self) -> Vec<(String, i64)> {
        let now = self.current();
        let uses = now.by_key.iter().map(|(key, route)| {
            let prefix = String::from_utf8_lossy(key).into_owned();
            (prefix, route.last_activity())
        });
        uses.collect()
    }

    /// Notes what another process tells of such uses. A route that is not there any more stays away.
    pub fn note_uses(&self, uses: &[(String, i64)]) {
        let now = self.current();
        for (prefix, time) in uses {
            if let Some(route) = now.get(prefix) {
                route.touch_at(*time);
            }
        }
    }

    /// Writes when each route was last used.
    ///
    /// # Errors
    /// The routes could not be written.
    pub async fn save(&self) -> Result<(), ChangeError> {
        let _changing = self.begin_change().await?;
        self.write_now().await
    }

    async fn write_now(&self) -> Result<(), ChangeError> {
        let now = self.current();
        if now.is_empty() {
            return Ok(());
        }
        let routes = Guard::into_inner(now);
        self.write(move |store| store.write(&routes.to_json(None)))
            .await
    }

    /// Takes these routes for the current ones, of which `key` alone is another: `route` as the API shows it, or none.
    async fn replace(
        &self,
        routes: Routes,
        key: String,
        route: Option<Value>,
    ) -> Result<(), ChangeError> {
        let routes = Arc::new(routes);
        let all = routes.clone();
        self.write(move |store| store.write_change(&key, route, || all.to_json(None)))
            .await?;
        self.routes.store(routes);
        Ok(())
    }

    async fn write(
        &self,
        write: impl FnOnce(&Store) -> io::Result<()> + Send + 'static,
    ) -> Result<(), ChangeError> {
        let store = self.store.clone();
        let written = spawn_blocking(move || write(&store))
            .await
            .map_err(io::Error::other)
            .flatten();
        written.map_err(|source| ChangeError::Write {
            path: self.store.path().display().to_string(),
            source,
        })
    }
}

/// The routes of a file. Those that are among `known`, the same in every respect, stay what they are there.
fn read_routes(file: Map<String, Value>, store: &Store, known: &Routes) -> Routes {
    let mut by_key = BTreeMap::new();
    for (prefix, data) in file {
        let data = if let Value::Object(data) = data {
            data
        } else {
            Map::new()
        };
        match Route::new(&prefix, data, true) {
            Ok(route) => {
                // A key as it was kept: one with a slash behind it, which a prefix with two has, would lose that.
                let key = Key::from(prefix.into_bytes());
                let there = known.by_key.get(&key);
                let there = there.filter(|there| there.same_data(&route));
                let route = there.cloned().unwrap_or_else(|| Arc::new(route));
                by_key.insert(key, route);
            }
            Err(error) => log::warn!(
                "left out route `{prefix}` of `{}`: {error}",
                store.path().display()
            ),
        }
    }
    Routes::new(by_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(prefixes: &[&str]) -> Routes {
        let by_key = prefixes.iter().map(|prefix| {
            let mut data = Map::new();
            data.insert("target".into(), "http://127.0.0.1:1".into());
            data.insert("name".into(), (*prefix).into());
            (
                key_of(prefix).into_bytes().into(),
                Arc::new(Route::new(prefix, data, false).unwrap()),
            )
        });
        Routes::new(by_key.collect())
    }

    fn found(routes: &Routes, target: &[u8]) -> Option<String> {
        routes
            .find(target, None)
            .map(|route| route.to_json()["name"].as_str().unwrap().to_string())
    }

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        let routes = routes(&[
            "/",
            "/user/a",
            "/user/ab/",
            "/user/a/deep/er",
            "/constructor",
            "/user/é b",
        ]);
        for (target, expected) in [
            (b"/".as_slice(), "/"),
            (b"/user/a", "/user/a"),
            (b"/user/a/", "/user/a"),
            (b"/user/a?next=/user/ab", "/user/a"),
            (b"/user/ab", "/user/ab/"),
            (b"/user/ab/x", "/user/ab/"),
            (b"/user/abc", "/"),
            (b"/user/a/deep", "/user/a"),
            (b"/user/a/deep/er/x", "/user/a/deep/er"),
            (b"/user/a/deep/ers", "/user/a"),
            (b"/user/%61/x", "/user/a"),
            (b"/user/%C3%A9%20b/lab", "/user/é b"),
            (b"/user/%FF%FE", "/"),
            (b"/constructor/x", "/constructor"),
            (b"/__proto__", "/"),
            (b"//user/a", "/"),
            (b"/user//a", "/"),
            (b"*", "/"),
        ] {
            assert_eq!(
                found(&routes, target).as_deref(),
                Some(expected),
                "{}",
                String::from_utf8_lossy(target)
            );
        }
    }

    #[test]
    fn where_hosts_count_a_prefix_begins_with_one() {
        let routes = routes(&["/", "/hub.test/base", "/a.hub.test/base/user/a"]);
        for (host, target, expected) in [
            ("hub.test", "/base/hub", "/hub.test/base"),
            ("hub.test", "/base/user/a", "/hub.test/base"),
            ("a.hub.test", "/base/user/%61/x", "/a.hub.test/base/user/a"),
            ("a.hub.test", "/base", "/"),
            ("other", "/hub.test/base", "/"),
            ("", "/hub.test/base", "/"),
        ] {
            let found = routes.find(target.as_bytes(), Some(host)).unwrap();
            assert_eq!(found.to_json()["name"], expected, "{host}{target}");
        }
    }

    #[test]
    fn without_a_root_route_other_paths_find_nothing() {
        let routes = routes(&["/user/a"]);
        assert_eq!(found(&routes, b"/user/b"), None);
        assert_eq!(found(&routes, b"/"), None);
        assert!(!routes.is_empty());
        assert!(Routes::default().is_empty());
    }
}

//! The first-use authenticator: who comes first under a name chooses its password.

/// Ours, which answers others during a login.
const OURS: &str = "tljh.first_use.FirstUseAuthenticator";

/// The class for the authenticator of that name: itself, or ours in the place of the one whose logins hold up the hub.
pub fn authenticator_class(named: &str) -> &str {
    match named {
        "firstuse" | "firstuseauthenticator" | "firstuseauthenticator.FirstUseAuthenticator" => {
            OURS
        }
        _ => named,
    }
}

/// Whether the authenticator of that name is it, or perhaps somebody's that is made from it.
pub fn is_meant(named: &str) -> bool {
    named.to_lowercase().contains("firstuse")
}

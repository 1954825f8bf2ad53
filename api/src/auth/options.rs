//! How people and tokens are dealt with.

/// Who may make users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignUp {
    /// Full access alone.
    #[default]
    Closed,
    /// Everybody, for themselves.
    Open,
}

/// Settings of the access layer; the section `auth` of the configuration.
#[derive(Clone, Debug)]
pub struct AccessOptions {
    /// Who may make users.
    pub sign_up: SignUp,
    /// Whether anybody may begin a session as a new user without a name.
    pub anonymous: bool,
    /// Roles of users who have none of their own.
    pub default_roles: Vec<String>,
    /// Roles of anonymous users.
    pub anonymous_roles: Vec<String>,
    /// Life of an access token and of what `POST /v1/tokens` gives, seconds.
    pub token_seconds: u64,
    /// Life of a session since it was last refreshed, seconds.
    pub session_seconds: u64,
    /// Life of a one-time token, seconds.
    pub reset_seconds: u64,
    /// Passwords hashed at a time.
    pub password_hashes: usize,
    /// Passwords that may wait for that.
    pub password_queue: usize,
    /// Origins whose pages may use the cookie of a session.
    pub cookie_origins: Vec<String>,
    /// Requests of one address in a minute that may be refused for their credential; loopback excepted.
    pub failures_per_address_per_minute: u32,
    /// Wrong passwords of one account in a quarter of an hour.
    pub failures_per_account: u32,
    /// Requests of one address in a minute; 0: any number. Loopback excepted.
    pub requests_per_address_per_minute: u32,
    /// Networks whose addresses key sets may be fetched from besides public ones (`webhooks.allow_networks`).
    pub allow_networks: Vec<ipnet::IpNet>,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Closed,
            anonymous: false,
            default_roles: Vec::new(),
            anonymous_roles: Vec::new(),
            token_seconds: 1800,
            session_seconds: 30 * 24 * 3600,
            reset_seconds: 3600,
            password_hashes: 2,
            password_queue: 64,
            cookie_origins: Vec::new(),
            failures_per_address_per_minute: 300,
            failures_per_account: 10,
            requests_per_address_per_minute: 0,
            allow_networks: Vec::new(),
        }
    }
}

//! The guard at work: resolvers that change their mind, connections that are kept.

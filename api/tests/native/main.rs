//! The native face, driven without a socket, over an engine on real files.

mod credentials;
mod documents;
mod events;
mod limits;
mod served;
mod support;
mod transactions;

//! Shows the queue and the running server to an operator, and changes them, over HTTP on a Unix socket.
//!
//! * `api`: what goes over the socket, as JSON; `GET /openapi.json` describes it;
//! * `filter`: which messages are meant;
//! * `view`: one queued message in the words of the API;
//! * `history`: what happened to it, and what comes next, in plain words;
//! * `queue`: listing, and what is done to messages, on any store;
//! * `http`: the routes;
//! * `socket`: the Unix socket, and who may use it;
//! * `client`: asks at the socket.

pub mod api;
pub mod client;
pub mod filter;
pub mod history;
pub mod http;
pub mod queue;
pub mod socket;
pub mod view;

pub use client::Client;
pub use filter::Filter;
pub use http::{Control, Server};
pub use view::Sites;

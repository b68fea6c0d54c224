//! AUTH: the client says who it is.

use std::sync::Arc;
use std::time::Duration;

use postroad_directory::Identity;
use postroad_directory::users::{
    Checked, ClientFirst, LONGEST_NAME, PasswordFile, Scram, Users, prepared,
};
use postroad_host::tasks;
use postroad_reply::{Answer, AuthReply, Text};
use postroad_session::server::{AuthStep, SaslMessage, challenge};
use postroad_store::QueueStore;
use postroad_telemetry::Event;
use postroad_wire::sasl::Mechanism;

use super::Conversation;
use crate::listen::{Running, reached};
use crate::login::{Exchange, Login, plain};

/// How long somebody waits for others whose passwords are checked.
const WAIT_FOR_PLACE: Duration = Duration::from_secs(30);

impl<S: QueueStore> Conversation<S> {
    /// Takes a step of an exchange.
    pub(super) async fn log_in(&mut self, step: AuthStep) -> Answer<AuthReply> {
        let (exchange, message) = match step {
            AuthStep::Begin(mechanism, message) => {
                if let Some(left) = self.login.take() {
                    self.give_up(*left);
                }
                (Exchange::new(mechanism), message)
            }
            AuthStep::Response(message) => match self.login.take() {
                Some(exchange) => (*exchange, Some(message)),
                // The session goes on only with what was begun.
                None => return AuthReply::Unavailable.into(),
            },
        };
        match message {
            Some(SaslMessage(message)) => self.take_message(exchange, &message).await,
            None => {
                let asked = exchange.first_challenge();
                self.ask(exchange, asked)
            }
        }
    }

    fn ask(&mut self, exchange: Exchange, challenged: &[u8]) -> Answer<AuthReply> {
        self.login = Some(Box::new(exchange));
        challenge(challenged).into()
    }

    /// The client has left an exchange and begun another. What it has seen of the first is no guess.
    fn give_up(&self, left: Exchange) {
        if let Exchange::ScramFinal { login, .. } | Exchange::ScramProved(login) = left {
            self.services.login_guard.undecided(&login.attempt);
        }
    }

    async fn take_message(&mut self, exchange: Exchange, message: &[u8]) -> Answer<AuthReply> {
        match exchange {
            Exchange::Plain => {
                // A malformed message costs what a wrong password does.
                let (name, password) = plain(message).unwrap_or_default();
                self.password(Mechanism::Plain, name, password).await
            }
            Exchange::LoginName => {
                self.ask(Exchange::LoginPassword(message.to_vec()), b"Password:")
            }
            Exchange::LoginPassword(name) => self.password(Mechanism::Login, &name, message).await,
            Exchange::ScramFirst => self.scram(message).await,
            Exchange::ScramFinal { answered, login } => match answered.finish(message) {
                Ok(ours) => self.ask(Exchange::ScramProved(login), ours.as_bytes()),
                Err(_) => self.failed_login(&login, AuthReply::Invalid),
            },
            // It has seen that the server knows its password, too.
            Exchange::ScramProved(login) if message.is_empty() => self.logged_in(login),
            Exchange::ScramProved(login) => self.failed_login(&login, AuthReply::Invalid),
        }
    }

    /// Checks a password that was sent.
    async fn password(
        &mut self,
        mechanism: Mechanism,
        name: &[u8],
        password: &[u8],
    ) -> Answer<AuthReply> {
        let login = match self.begin_login(mechanism, readable(name)).await {
            Ok(login) => login,
            Err(refused) => return refused,
        };
        let (name, password) = (login.name.clone(), readable(password));
        let services = Arc::clone(&self.services);
        let salt = services.login_guard.salt();
        let checked = self
            .with_users(move |users, file| {
                let checked = users.check(&name, &password);
                if checked == Checked::Right {
                    return (checked, file.learn(&name, &password, &salt));
                }
                (checked, Ok(()))
            })
            .await;
        match checked {
            None => self.unavailable(&login),
            Some((checked, learnt)) => {
                if let Err(cause) = learnt {
                    Event::LoginTrouble { cause: &cause }.emit();
                }
                match checked {
                    Checked::Right => self.logged_in(login),
                    Checked::TooWeak => self.failed_login(&login, AuthReply::TooWeak),
                    Checked::Wrong => self.failed_login(&login, AuthReply::Invalid),
                }
            }
        }
    }

    /// Answers the first message of SCRAM.
    async fn scram(&mut self, message: &[u8]) -> Answer<AuthReply> {
        let first = ClientFirst::read(message);
        let name = first.as_ref().map_or("", |first| first.name.as_str());
        let login = match self
            .begin_login(Mechanism::ScramSha256, name.to_owned())
            .await
        {
            Ok(login) => login,
            Err(refused) => return refused,
        };
        let Ok(first) = first else {
            return self.failed_login(&login, AuthReply::Invalid);
        };
        let name = first.name.clone();
        let found = self
            .with_users(move |users, file| {
                let of = users.of(&name);
                let scram = of.and_then(|of| of.scram().cloned());
                // Where it is learnt what is missing, sending the password once helps (RFC 4954 6).
                let to_learn = file.learns() && scram.is_none() && of.is_some();
                (scram, to_learn)
            })
            .await;
        let logins = &self.services.login_guard;
        let scram = match found {
            None => return self.unavailable(&login),
            Some((_, true)) => {
                return self.failed_login(&login, AuthReply::TransitionNeeded);
            }
            Some((Some(scram), _)) => scram,
            Some((None, _)) => Scram::of_nobody(&first.name, logins.secret()),
        };
        let answered = first.answer(scram, &logins.nonce());
        let said = answered.message.clone();
        self.ask(Exchange::ScramFinal { answered, login }, said.as_bytes())
    }

    /// Lets somebody try, after the wait that the failures before it ask for.
    async fn begin_login(
        &mut self,
        mechanism: Mechanism,
        name: String,
    ) -> Result<Login, Answer<AuthReply>> {
        let name = prepared(&name).unwrap_or_default();
        let name = if name.len() > LONGEST_NAME {
            String::new()
        } else {
            name
        };
        let (network, now) = (self.client.network(), self.now());
        let Some((attempt, waited)) = self.services.login_guard.begin(&name, network, now) else {
            let note = "Too many failed logins, try again later";
            self.record.cause("too many failed logins from its network");
            return Err(Answer::from(AuthReply::Unavailable).text(Text::new(note)));
        };
        let login = Login {
            name,
            mechanism,
            attempt,
            waited,
        };
        if !waited.is_zero() {
            tokio::select! {
                biased;
                () = reached(&mut self.running, Running::Draining) => {
                    self.record.cause("the server stops");
                    return Err(self.unavailable(&login));
                }
                () = tasks::sleep(waited) => {}
            }
        }
        Ok(login)
    }

    /// Asks the password file something, on a thread that may wait; none if it can't be asked now.
    async fn with_users<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce(&Users, &PasswordFile) -> T + Send + 'static,
    ) -> Option<T> {
        let services = Arc::clone(&self.services);
        let file = self.settings.passwords.clone();
        let place = tokio::select! {
            biased;
            place = tasks::timeout(WAIT_FOR_PLACE, services.login_guard.place()) => place.ok().flatten(),
            () = reached(&mut self.running, Running::Ending) => None,
        };
        let (Some(file), Some(_place)) = (file, place) else {
            self.record
                .cause("too many passwords are being checked, or there is no password file");
            return None;
        };
        let asked = tasks::blocking(move || {
            let (users, faults) = file.users().map_err(|error| error.to_string())?;
            for fault in faults {
                let (file, line) = (file.path().display(), fault.line);
                let cause = format!("{file}:{line}: {}", fault.what);
                Event::LoginTrouble { cause: &cause }.emit();
            }
            Ok(ask(&users, &file))
        });
        match asked.await {
            Ok(answer) => Some(answer),
            Err(cause) => {
                let cause: String = cause;
                Event::LoginTrouble { cause: &cause }.emit();
                self.record.cause(&cause);
                None
            }
        }
    }

    fn logged_in(&mut self, login: Login) -> Answer<AuthReply> {
        let (connection, peer) = self.record.client();
        Event::LoginAccepted {
            connection,
            peer,
            user: &login.name,
            mechanism: &login.mechanism,
        }
        .emit();
        self.services.login_guard.right(login.attempt, self.now());
        self.client.identities.push(Identity::User(login.name));
        AuthReply::Authenticated.into()
    }

    fn failed_login(&mut self, login: &Login, reply: AuthReply) -> Answer<AuthReply> {
        let (connection, peer) = self.record.client();
        Event::LoginFailed {
            connection,
            peer,
            user: &login.name,
            mechanism: &login.mechanism,
            waited: login.waited,
        }
        .emit();
        // What it is told is what it was before it knew more than whether it is right.
        if reply == AuthReply::TransitionNeeded {
            self.services.login_guard.undecided(&login.attempt);
        }
        self.record
            .cause(&format!("{} as {}", login.mechanism, login.name));
        reply.into()
    }

    fn unavailable(&self, login: &Login) -> Answer<AuthReply> {
        self.services.login_guard.undecided(&login.attempt);
        AuthReply::Unavailable.into()
    }
}

/// Text that a client has sent, prepared; what is none is no name of anybody's, and no password.
fn readable(octets: &[u8]) -> String {
    let text = str::from_utf8(octets).unwrap_or_default();
    prepared(text).unwrap_or_default()
}

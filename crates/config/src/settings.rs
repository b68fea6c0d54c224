//! The table of settings. Each stands here once: name, type, default, check, when a change of it
//! takes effect, and what it is for.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use postroad_wire::address::{Domain, LocalPart, Mailbox};
use toml::de::DeTable;

use crate::Machine;
use crate::collect::Provider;
use crate::listener::{Protocol, Quirk};
use crate::name::{Aliases, Delimiter};
use crate::read::{At, Reader};
use crate::route::{RouteDomain, RouteHop};
use crate::table::{
    Change, Chapter, Check, Entry, Listed, Preset, Reload, Section, any, is, required, unset,
    within,
};
use crate::value::{
    AccessAction, AccessReason, AccessStep, AuthMechanism, AuthSenders, BareLineEnds, CollectTls,
    ExpnInquiry, Inquiry, Level, ListenerAuth, ListenerTls, LogFormat, Size, SocketPath, Tells,
    TlsVersion, Value, WhenFull,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

settings! {
    /// What concerns the whole server.
    top server: Server {
        /// The name of this server, in its greeting, its answer to EHLO and its Received fields
        /// (RFC 5321 4.1.1.1, 4.4). Where the machine's own name is not a domain name, the
        /// default is `localhost`.
        hostname: Domain =
            Preset::Machine(|machine| machine.hostname.clone(), "the machine's own name"),
            any(), Restart;
        /// The folder of the spool and the mailboxes. A relative one is below the folder the
        /// server is started in. It is made if it is missing, and one server at a time has it.
        data_dir: PathBuf = is("postroad-data"), any(), Restart;
        /// The Unix socket at which `postroad queue` and its like reach the running server; only its
        /// own user and root may use it. A relative one is below `data_dir`; with `""` there is
        /// none.
        control_socket: SocketPath = is("control.sock"), any(), Restart;
        /// The user to become once the listeners are open. A server started as root must have
        /// one; one started as another user can't change it.
        user: Option<String> = unset(), any(), Restart;
        /// The group to become, with `user`. Unset, it is that user's own group.
        group: Option<String> = unset(), any(), Restart;
    }

    /// Where clients connect.
    list listener: Listener {
        /// The address and port: `"127.0.0.1:2525"`, `"[::1]:25"`, `"0.0.0.0:25"`.
        address: SocketAddr = required(), any(), Restart;
        /// Which protocol is spoken: `"smtp"`, or `"lmtp"`, in which each recipient is answered for after
        /// the data (RFC 2033).
        protocol: Protocol = is(Protocol::Smtp), any(), NextConnection;
        /// Whether mail is taken. If not, the greeting is 521, and so is what follows but QUIT, until the
        /// client goes or `timeouts.command` runs out (RFC 7504 3).
        accepts_mail: bool = is(true), any(), NextConnection;
        /// Whether nothing is said that isn't one of the 111 rows of the classic table: no extension is
        /// offered that brings other replies, and each addition of today's RFCs to a command's row is said
        /// as the row that comes nearest. `docs/historic.md` has all of them.
        strict_classic: bool = is(false), any(), NextConnection;
        /// What is done as servers of RFC 821 did, each by its name: `["send", "rset-200"]`.
        /// `docs/historic.md` says what each is. Every use is logged.
        historic: Vec<Quirk> = is(Vec::new()), any(), NextConnection;
        /// Confirms that `historic` is meant at an address that is neither loopback nor private.
        historic_in_public: bool = is(false), any(), NextConnection;
        /// What TLS is for: `"off"`; `"offered"`, by STARTTLS (RFC 3207), for a server that takes mail from
        /// everywhere; `"required"`, by STARTTLS before anything else, for port 587; `"implicit"`, from the first
        /// octet on, for port 465 (RFC 8314). Unset, it is offered where `tls.certificate` is set, and off
        /// elsewhere.
        tls: Option<ListenerTls> = unset(), any(), NextConnection;
        /// What AUTH is for (RFC 4954): `"off"`; `"offered"`, to clients that would send mail to other servers'
        /// domains (530 for such a recipient otherwise); `"required"`, before any mail, for the ports 587 and
        /// 465 (530 at MAIL otherwise, RFC 6409 4.3).
        auth: ListenerAuth = is(ListenerAuth::Off), any(), NextConnection;
        /// Whether mechanisms that send the password may be used without TLS, which everybody between can read
        /// then (RFC 4954 4). For loopback addresses alone.
        clear_passwords: bool = is(false), any(), NextConnection;
    }

    /// The certificate that clients see under TLS. The files are PEM (RFC 7468), and are read again when the
    /// configuration is: the user that the server runs as has to be able to read them. `docs/submission.md` says how.
    table tls: Tls {
        /// The file of the certificate and of those that lead to its authority, in that order. Without it no
        /// listener has TLS.
        certificate: Option<PathBuf> = unset(), any(), Live;
        /// The file of its private key, which nobody else should be able to read.
        key: Option<PathBuf> = unset(), any(), Live;
        /// The oldest version that is spoken: `"1.2"` or `"1.3"`.
        oldest_version: TlsVersion = is(TlsVersion::Tls12), any(), Live;
        /// The file of the authorities whose certificates say who a client is: one that shows such a
        /// certificate is `"certificate:NAME"` in `[[on_demand]]` and `[[access]]`, for each domain name that it
        /// is for. A client with any other certificate, or none, is served as a stranger. Unset, clients
        /// aren't asked for one.
        client_authorities: Option<PathBuf> = unset(), any(), Live;
    }

    /// Users who log in (RFC 4954). `docs/submission.md` says how.
    table auth: Auth {
        /// The file of users and what is kept of their passwords; `postroad user` writes it. It is read again at
        /// each login. While it can't be, AUTH gets 454.
        passwords: Option<PathBuf> = unset(), any(), Live;
        /// The mechanisms that are offered. PLAIN and LOGIN send the password, and are offered under TLS
        /// alone, unless `listener.clear_passwords` says otherwise.
        mechanisms: Vec<AuthMechanism> =
            is(AuthMechanism::ALL.to_vec()), any(), NextConnection;
        /// Whether what SCRAM-SHA-256 needs is learnt of users whose line in the file lacks it, when they send
        /// their password by another mechanism. It is kept in `data_dir`. SCRAM gets 432 before that (RFC 4954
        /// 6), by which a stranger can tell that there is such a user; without this setting SCRAM gets 535, as
        /// for a user who doesn't exist.
        learn_scram: bool = is(false), any(), Live;
        /// Which addresses a user may give as the sender of a message: `"own"` are those that lead to the mailbox
        /// of the user's name, and those of `[[sender]]` (553 5.7.1 for others); `"any"` is any.
        senders: AuthSenders = is(AuthSenders::Own), any(), Live;
    }

    /// Addresses that a user may send as, beside its own.
    list sender: Sender {
        /// Who, as in the password file.
        user: String = required(), any(), Live;
        /// Which, as patterns in which `*` stands for anything: `["alerts@example.com", "*@lists.example.com"]`.
        addresses: Vec<String> = required(), any(), Live;
    }

    /// How much one client, one connection or one message may take. Sizes that RFC 5321 4.5.3.1
    /// guarantees to every sender can be raised but not lowered.
    table limits: Limits {
        /// Connections open at once, over all listeners. One more gets 421.
        connections: u32 = is(1000u32), within(1, 1_000_000), Live;
        /// Connections open at once from one address.
        connections_per_address: u32 = is(200u32), within(1, 1_000_000), Live;
        /// Connections open at once from one network: the first 24 bits of an IPv4 address, the
        /// first 56 of an IPv6 address.
        connections_per_network: u32 = is(500u32), within(1, 1_000_000), Live;
        /// Octets of a message as it is sent, without the dots doubled for transparency. It is
        /// told in the answer to EHLO (RFC 1870 3; at least 64 KiB, RFC 5321 4.5.3.1.7).
        message_size: Size = is(Size::mib(50)), within(Size::kib(64), Size::gib(4)), NextConnection;
        /// Recipients of one message (at least 100, RFC 5321 4.5.3.1.8). One more gets 452; a client that is
        /// told to wait more often than that in one transaction makes errors.
        recipients: u32 = is(1000u32), within(100, 50_000), NextConnection;
        /// Octets of a command line with its CRLF, before what the offered extensions add to it
        /// (at least 512, RFC 5321 4.5.3.1.4).
        command_line: u32 = is(1024u32), within(512, 65_536), NextConnection;
        /// Octets of a local-part (at least 64, RFC 5321 4.5.3.1.1).
        local_part: u32 = is(255u32), within(64, 1024), NextConnection;
        /// Octets of a domain (at least 255, RFC 5321 4.5.3.1.2).
        domain: u32 = is(255u32), within(255, 1024), NextConnection;
        /// Octets of a reverse-path or forward-path with its brackets (at least 256, RFC 5321
        /// 4.5.3.1.3).
        path: u32 = is(1024u32), within(256, 4096), NextConnection;
        /// Transactions of one connection; after them comes 421.
        transactions: u32 = is(1000u32), within(1, 1_000_000), NextConnection;
        /// Commands of one connection refused as unreadable, unknown, out of sequence or malformed;
        /// after them comes 421.
        errors: u32 = is(20u32), within(1, 1_000_000), NextConnection;
        /// Commands of one connection that bring no message forward (NOOP, RSET, VRFY, EXPN, HELP,
        /// repeated EHLO, BDAT out of place or of no octets), counted from the last accepted message; after
        /// them comes 421.
        junk_commands: u32 = is(100u32), within(1, 1_000_000), NextConnection;
        /// Logins of one connection that failed; after them comes 421. What is tried over other connections is
        /// slowed by itself: `docs/submission.md` says how.
        failed_logins: u32 = is(5u32), within(1, 1000), NextConnection;
        /// Recipients of one connection refused for good; after them comes 421.
        refused_recipients: u32 = is(100u32), within(1, 1_000_000), NextConnection;
        /// How long a connection may be open, however busy. It ends with 421, even in the midst of
        /// a message; only one that has come whole is answered first.
        session_lifetime: Duration = is(12 * HOUR), within(MINUTE, 7 * DAY), NextConnection;
        /// Received fields a message may have; with more it goes in a loop and is refused
        /// (RFC 5321 6.3, which wants 100 or more).
        hops: u32 = is(100u32), within(10, 1000), Live;
        /// Octets of message data that all sessions together may hold in memory. A client whose
        /// data finds no room waits before it may send any, or its data goes to a file. A network
        /// (as for `connections_per_network`) for whose messages more than 64 KiB are set aside
        /// gets more only from three quarters of it, and only as far as it leaves as much of them
        /// free as it has: three eighths of all, if it is alone.
        body_memory: Size = is(Size::mib(64)), within(Size::mib(1), Size::gib(1024)), Live;
        /// Octets that the envelopes of all open transactions together may take in memory. Each
        /// transaction counts as 512 and each of its mailboxes too (768 where it has to be made),
        /// with their addresses and parameters on top: a hundred recipients (RFC 5321 4.5.3.1.8)
        /// with ordinary addresses take about 60 KiB. A MAIL or RCPT that finds no room gets 452,
        /// or 455 where only its parameters find none. One network gets so much as of `body_memory`.
        envelope_memory: Size = is(Size::mib(64)), within(Size::kib(1), Size::gib(1024)), Live;
        /// Octets of message data that a connection may go on sending after its message was
        /// refused. They are read and dropped; after them comes 421.
        refused_data: Size = is(Size::mib(200)), within(Size::kib(64), Size::gib(4)), NextConnection;
    }

    /// How long the server waits. RFC 5321 4.5.3.2 asks a server for 5 minutes between commands.
    table timeouts: Timeouts {
        /// For the next command, whole: octets that drip in gain no time (RFC 5321 4.5.3.2.7).
        command: Duration = is(5 * MINUTE), within(Duration::from_secs(1), DAY), NextConnection;
        /// For the next octets of message data (RFC 5321 4.5.3.2.5).
        data_block: Duration = is(3 * MINUTE), within(Duration::from_secs(1), DAY), NextConnection;
        /// For a client to take what was sent to it.
        write: Duration = is(3 * MINUTE), within(Duration::from_secs(1), DAY), NextConnection;
        /// For a TLS handshake.
        handshake: Duration = is(Duration::from_secs(30)), within(Duration::from_secs(1), HOUR), Live;
        /// For open transactions to end when the server is told to stop; then they get 421.
        drain: Duration = is(Duration::from_secs(30)), within(Duration::ZERO, HOUR), Live;
    }

    /// What the protocol does where RFC 5321 leaves a choice.
    table smtp: Smtp {
        /// What becomes of a message with a CR or LF that is not part of a CRLF: `"refuse"`
        /// answers 554 (RFC 5321 2.3.8), `"normalise"` makes each a CRLF. Neither ends the data.
        bare_line_ends: BareLineEnds = is(BareLineEnds::Refuse), any(), NextConnection;
        /// Whom VRFY tells which mailboxes there are: `"everybody"`, `"trusted"` clients, or
        /// `"nobody"`. Who isn't told hears 252 whatever is asked, and nothing is looked up for it (RFC
        /// 5321 7.3).
        vrfy: Inquiry = is(Inquiry::Nobody), any(), NextConnection;
        /// Whom EXPN tells what an alias stands for, likewise. With `"not-implemented"` it answers
        /// 502, as a server without lists may (RFC 5321 4.2.4).
        expn: ExpnInquiry = is(ExpnInquiry::Nobody), any(), NextConnection;
        /// The networks whose clients are trusted to ask who is here. So is every client that has
        /// authenticated. They alone hear the new address of somebody who has moved.
        inquiry_networks: Vec<IpNet> = is(Vec::new()), any(), Live;
        /// Whether the name in HELO, EHLO and LHLO has to have a dot in it, or to be an address: 504
        /// otherwise. Clients that may relay or have authenticated may call themselves as they like.
        qualified_names: bool = is(false), any(), NextConnection;
        /// Whom `HELP STATUS` tells how the system is (211), as `vrfy` has it. For others there is no such
        /// topic (504).
        status: Inquiry = is(Inquiry::Nobody), any(), NextConnection;
        /// Whether HELP is answered and offered.
        help: bool = is(true), any(), NextConnection;
        /// Whether BINARYMIME is offered (RFC 3030): messages that need not be made of lines, kept and
        /// delivered as they are, octet by octet. Such a message goes only to next hops that offer it
        /// too; at others it fails (5.6.3), and its sender is told. Switch it off where the routes lead
        /// to servers without it, such as Postfix and Exim: clients then encode what is binary.
        binary_mime: bool = is(true), any(), NextConnection;
    }

    /// A domain whose mail stays here. Domain names are compared without regard to case, and
    /// `bücher.example` is the same as `xn--bcher-kva.example`; so are local-parts without regard
    /// to case.
    list domain: LocalDomain {
        /// Its name.
        name: Domain = required(), any(), Live;
        /// The local-parts that are mailboxes: `["anna", "bob"]`.
        mailboxes: Vec<LocalPart> = is(Vec::new()), any(), Live;
        /// The local-parts that stand for other addresses:
        /// `{ info = ["anna", "bob@other.example"] }`. A target without `@` is in the same domain.
        /// A target may be an alias; it must lead to a mailbox of this server in the end.
        aliases: Aliases = is(Aliases::default()), any(), Live;
        /// Whether any other local-part is a mailbox, made when its first message comes, up to
        /// `mailboxes.limit`.
        create_mailboxes: bool = is(false), any(), Live;
        /// Octets that each of its mailboxes may hold; `[[quota]]` says what others may. Unset, as many
        /// as the disk. A mailbox without room gets no more mail (452 4.2.2, or what
        /// `mailboxes.when_full` says); a message that has been taken is delivered all the same.
        mailbox_size: Option<Size> = unset(), any(), Live;
        /// Messages that each of its mailboxes may hold.
        mailbox_messages: Option<u64> = unset(), any(), Live;
        /// Octets of a message to each of its mailboxes. A longer one gets 552 5.2.3.
        message_size: Option<Size> = unset(), any(), Live;
        /// What separates a mailbox from the detail behind it: mail for `anna+lists` goes to
        /// `anna`, unless there is a mailbox `anna+lists`. One character, or `""` for none.
        recipient_delimiter: Delimiter = is(Delimiter(Some('+'))), any(), Live;
    }

    /// What one mailbox may hold, in place of what its domain says of all.
    list quota: MailboxQuota {
        /// Which mailbox of a local domain.
        mailbox: Mailbox = required(), any(), Live;
        /// Octets of all its messages. Unset, as many as the disk.
        size: Option<Size> = unset(), any(), Live;
        /// Messages. Unset, as many as there are.
        messages: Option<u64> = unset(), any(), Live;
        /// Octets of one message. Unset, as many as `limits.message_size` lets in.
        message_size: Option<Size> = unset(), any(), Live;
    }

    /// Somebody who has left a local domain (RFC 5321 3.4). Mail for the old address is sent on to the
    /// new one (250), or refused (550 5.1.6). A client that is trusted to ask (`smtp.inquiry_networks`)
    /// can be told the new address with it (251, 551).
    list moved: Moved {
        /// The old address, in a local domain. It is neither a mailbox nor an alias any more.
        address: Mailbox = required(), any(), Live;
        /// The new one. Unset, it isn't known.
        new_address: Option<Mailbox> = unset(), any(), Live;
        /// Whether mail is sent on. A route has to lead to the new address, if it isn't here.
        forward: bool = is(false), any(), Live;
        /// Whether the new address is told to clients that are trusted to ask.
        show: bool = is(false), any(), Live;
    }

    /// A rule of access. It is for whom all fits that it says; what it leaves out fits everybody. Of the
    /// rules of one step the first that fits decides, and those after it aren't asked. A rule that
    /// accepts takes nothing away from what the server demands of all. Case makes no difference, and in
    /// patterns `*` stands for anything.
    list access: Access {
        /// What the log calls it. Unset, it is `access[N]`, counted from 0.
        name: Option<String> = unset(), any(), Live;
        /// The step at which it is asked. Unset, it is the first at which all that it names is known. At
        /// `"inquiry"` it is about VRFY and EXPN (`smtp.vrfy`), of clients that may ask them.
        at: Option<AccessStep> = unset(), any(), Live;
        /// The client's address is in one of these networks.
        networks: Vec<IpNet> = is(Vec::new()), any(), Live;
        /// What the client says after HELO or EHLO fits one of these patterns: `["*.dynamic.example"]`.
        hello: Vec<String> = is(Vec::new()), any(), Live;
        /// The sender's address fits one of these: `["*@example.com", "<>"]`, the second being the null
        /// sender of notices.
        senders: Vec<String> = is(Vec::new()), any(), Live;
        /// A recipient's address fits one of these; at `data` and `message` one of all that were
        /// accepted, at `inquiry` the one that is asked about. `<Postmaster>` without a domain fits none.
        recipients: Vec<String> = is(Vec::new()), any(), Live;
        /// The client has authenticated as one of these: `["anna", "certificate:mx.home.example"]`.
        users: Vec<String> = is(Vec::new()), any(), Live;
        /// A field of the message's header, as one line, fits one of these: `["Subject: *lottery*"]`.
        /// 64 KiB of the header are looked at.
        header: Vec<String> = is(Vec::new()), any(), Live;
        /// What becomes of it: `"refuse"` for good (5yz), `"defer"` (4yz), `"disconnect"` (421), or
        /// `"accept"`. HELO and EHLO know no 4yz: to defer there is to disconnect.
        then: AccessAction = required(), any(), Live;
        /// Why, which chooses the reply: `"policy"`; at RCPT and MAIL `"name"`, an address that isn't
        /// allowed (553); at RCPT `"disabled"`, a mailbox that is (550 5.2.1, 450), and `"closed-list"`, a
        /// list that isn't open to this sender (550 5.7.2, 450 4.2.4); so for EXPN.
        reason: AccessReason = is(AccessReason::Policy), any(), Live;
        /// What the client is told, instead of the words of the reply table.
        text: Option<String> = unset(), any(), Live;
    }

    /// Where mail goes that isn't delivered here. The closest route counts: a domain's own, then one
    /// for those below a domain above it, then `"*"`. A local domain with a route of its own has its
    /// mailboxes there, such as behind Dovecot's LMTP, and none is made here; `"*"` is not for local
    /// domains.
    list route: Route {
        /// Which domains: `"example.com"`, `"*.example.com"` for all below it, `"*"` for all others.
        domain: RouteDomain = required(), any(), Live;
        /// The server that takes their mail; or `"on-demand"`: it is held until a customer of
        /// `[[on_demand]]` calls for it.
        next_hop: RouteHop = required(), any(), Live;
    }

    /// A customer: somebody who calls for the mail that is kept for it here (RFC 1985, RFC 2645). `docs/on-demand.md` says
    /// how.
    list on_demand: OnDemand {
        /// What it is called: in the log, and in `ETRN #name`.
        name: String = required(), any(), Live;
        /// Whose mail it may call for: `"example.com"`, or `"*.example.com"` for all below it.
        domains: Vec<RouteDomain> = required(), any(), Live;
        /// Who may call for it, and who alone may collect it over its own connection (ATRN, TURN): users
        /// who have authenticated, or `"certificate:NAME"`, where a client has one for that name.
        users: Vec<String> = is(Vec::new()), any(), Live;
        /// The networks whose clients may ask for a queue run (ETRN) without saying who they are.
        networks: Vec<IpNet> = is(Vec::new()), any(), Live;
        /// How much ETRN tells of what waits: `"number"` of messages (251, 253), `"whether"` there are
        /// any (251, 252), `"nothing"` (250).
        tells: Tells = is(Tells::Number), any(), Live;
    }

    /// A provider that this server collects its mail from, over a connection that it makes itself (ATRN, RFC 2645): for
    /// a server that no other can connect to. `docs/on-demand.md` says how.
    list collect: Collect {
        /// What it is called: in the log, and in `postroad collect NAME`.
        name: String = required(), any(), Restart;
        /// The provider's server. Under TLS its certificate has to be for this name or address.
        provider: Provider = required(), any(), Restart;
        /// How the connection is secured: by `"starttls"` (nothing is collected from a provider that doesn't
        /// offer it), from its beginning (`"implicit"`), or not at all (`"none"`), for which the provider has to be
        /// on this machine, as the end of a tunnel is.
        tls: CollectTls = is(CollectTls::StartTls), any(), Restart;
        /// The file with the certificates, in PEM form, of the authorities that may have signed the
        /// provider's. Unset, those that the system trusts.
        ca_file: Option<PathBuf> = unset(), any(), Restart;
        /// Who this server is to the provider (AUTH).
        user: Option<String> = unset(), any(), Restart;
        /// The file with that user's password in its first line, readable by `user` of the top. It is read each
        /// time.
        password_file: Option<PathBuf> = unset(), any(), Restart;
        /// The file with a certificate in PEM form, and those that lead to its authority, by which this server
        /// shows who it is. It is read each time.
        certificate: Option<PathBuf> = unset(), any(), Restart;
        /// The file with its private key.
        key: Option<PathBuf> = unset(), any(), Restart;
        /// Whose mail is asked for; none is all that the provider has for this server. Over the
        /// connection comes mail for these, as far as they are local or a route leads there, and for local
        /// domains.
        domains: Vec<Domain> = is(Vec::new()), any(), Restart;
        /// How long after one time the next is; `"0s"` is only when told by `postroad collect`. After
        /// trouble it is tried sooner at first, and after a refusal later.
        interval: Duration = is(15 * MINUTE), within(Duration::ZERO, 7 * DAY), Restart;
    }

    /// Who may send mail to other servers' domains through this one.
    table relay: Relay {
        /// The networks whose clients may. Everybody else gets 550 5.7.1 for such a recipient.
        trusted_networks: Vec<IpNet> = is(Vec::new()), any(), Live;
        /// Domains that take no mail, whatever route leads there: such a recipient gets 556 from the start,
        /// and not a notice later (RFC 7504 4). `"example.com"`, or `"*.example.com"` for all below it.
        no_mail_domains: Vec<RouteDomain> = is(Vec::new()), any(), Live;
    }

    /// How much may be sent in an hour. Who has been silent may send an hour's messages at once, and what
    /// was sent comes back evenly. It is asked at MAIL; what is counted are messages that were taken.
    table sending: Sending {
        /// Messages an hour from one user who has authenticated. Unset, as many as come.
        messages_per_user: Option<u32> = unset(), any(), Live;
        /// Messages an hour from the clients of one network (as for `connections_per_network`) that
        /// have not authenticated. Unset, as many as come.
        messages_per_network: Option<u32> = unset(), any(), Live;
        /// What one message more gets: `"defer"` is 450 4.7.0, for the allowance comes back, `"refuse"`
        /// is 552 5.2.2.
        when_spent: WhenFull = is(WhenFull::Defer), any(), Live;
    }

    /// What is asked of the domain name system while mail comes in. Where it can't answer, the client is
    /// told to come again (450 4.4.3); what couldn't be found out isn't asked again for 15 seconds.
    table dns: Dns {
        /// The name servers that are asked: `["192.0.2.53:53"]`. Without any, those of
        /// `/etc/resolv.conf`.
        name_servers: Vec<SocketAddr> = is(Vec::new()), any(), Restart;
        /// Whether the domain of a sender has to be there (550 5.1.8) and to take mail (550 5.7.27),
        /// so that a reply can reach it (RFC 7505 4.2). Clients that may relay aren't asked for that.
        check_senders: bool = is(false), any(), Live;
        /// Whether the domain of a recipient that is relayed to is asked if it takes mail; one with a
        /// null MX doesn't (556, RFC 7505 4.1).
        check_recipients: bool = is(false), any(), Live;
    }

    /// The terminals that SEND, SOML and SAML write to, where `listener.historic` has them (RFC 821 3.4): of a
    /// user with the name of the mailbox, who is logged in and takes messages (`mesg y`). The server has
    /// to be in the group that terminals belong to (`tty`); `docs/historic.md` says how.
    table terminals: Terminals {
        /// The local domains whose mailboxes are called as users of this machine are.
        domains: Vec<RouteDomain> = is(Vec::new()), any(), Live;
        /// The list of who is logged in.
        logins: PathBuf = is("/run/utmp"), any(), Live;
        /// Messages an hour to terminals from one user who has authenticated, or from the clients of one
        /// network. One more gets 451.
        messages_an_hour: u32 = is(60u32), within(1, 1_000_000), Live;
    }

    /// Mailboxes, whatever their domain.
    table mailboxes: Mailboxes {
        /// How many there may be before none is made for a first message any more. Those listed
        /// in a domain are made beyond it.
        limit: u32 = is(1000u32), within(0, 1_000_000), Live;
        /// What a mailbox without room says: `"defer"` is 452 4.2.2, for there may be room later,
        /// `"refuse"` is 552 5.2.2, and the sender is told at once.
        when_full: WhenFull = is(WhenFull::Defer), any(), Live;
        /// The mailbox or alias that gets the mail for `postmaster` in each local domain that
        /// does not list one itself, and for `<Postmaster>` (RFC 5321 4.5.1). Unset, a mailbox
        /// `postmaster` is made in the domain, or in the first domain for `<Postmaster>`.
        postmaster: Option<Mailbox> = unset(), any(), Live;
    }

    /// How messages are kept on disk. `docs/spool.md` says what it is made of.
    table spool: Spool {
        /// Octets of one segment of the log.
        segment_size: Size = is(Size::mib(64)), within(Size::mib(1), Size::gib(1)), Restart;
        /// A longer body is a file of its own. At most a quarter of a segment.
        body_file_threshold: Size =
            is(Size::kib(256)), within(Size::kib(4), Size::mib(256)), Restart;
        /// Segments kept for settling what is queued, so that a full disk can empty itself.
        reserve_segments: u32 = is(2u32), within(2, 1000), Restart;
        /// Free octets of the file system under which no mail is accepted: 452.
        free_space_floor: Size = is(Size::mib(64)), within(Size(0), Size::gib(1024)), Restart;
        /// Free inodes of the file system under which no mail is accepted: 452.
        free_inode_floor: u64 = is(1000u64), within(0, 1_000_000_000), Restart;
        /// The index is written down each time the log has grown by so many octets, which makes
        /// the next start fast.
        checkpoint_size: Size = is(Size::mib(256)), within(Size::mib(1), Size::gib(16)), Restart;
    }

    /// How mail is delivered, and when a delivery that failed for now is tried again.
    table delivery: Delivery {
        /// The wait before the second attempt. How long a next hop in trouble is left alone follows it
        /// as it was at the start.
        retry_first: Duration = is(MINUTE), within(Duration::from_secs(1), DAY), Live;
        /// How many times as long each further wait is.
        retry_growth: u32 = is(2u32), within(1, 10), Live;
        /// The wait that none exceeds.
        retry_longest: Duration = is(4 * HOUR), within(Duration::from_secs(1), 7 * DAY), Live;
        /// A recipient that could not be delivered for so long since the message came in is given
        /// up, and the sender is told (RFC 5321 4.5.4.1 wants 4 or 5 days at least).
        give_up_after: Duration = is(5 * DAY), within(Duration::from_secs(1), 30 * DAY), Live;
        /// After so long the sender is told once that a recipient's mail is late; `"0s"` is never.
        delay_notice_after: Duration = is(4 * HOUR), within(Duration::ZERO, 30 * DAY), Live;
        /// A message up to this size goes back whole in a notice of failure, unless its sender
        /// didn't want that (RFC 3461 4.3); of a longer one its header section does.
        notice_returns: Size = is(Size::kib(100)), within(Size::kib(1), Size::mib(50)), Restart;
        /// Deliveries into mailboxes of this server under way at once.
        concurrency: u32 = is(16u32), within(1, 10_000), Restart;
        /// Connections to other servers in use at once.
        connections: u32 = is(500u32), within(1, 100_000), Restart;
        /// Connections to one next hop in use at once, at its best: it begins with five, and one
        /// that is in trouble gets fewer. After more trouble it is left alone for a minute, or for
        /// `retry_first` if that is less; then for twice as long each time, up to an hour or
        /// `retry_longest`.
        connections_per_site: u32 = is(20u32), within(1, 10_000), Restart;
        /// Recipients of a message that are said to a next hop in one transaction.
        recipients_per_transaction: u32 = is(100u32), within(1, 10_000), Restart;
        /// Messages that are held in memory to be delivered. The others wait in the spool.
        active_messages: u32 = is(10_000u32), within(1, 1_000_000), Restart;
        /// How long another server is waited for to accept a connection.
        connect_timeout: Duration =
            is(Duration::from_secs(30)), within(Duration::from_millis(100), HOUR), Restart;
        /// How long another server is waited for to reply to a command, and to take message data
        /// (RFC 5321 4.5.3.2.1 to 4.5.3.2.5).
        reply_timeout: Duration = is(5 * MINUTE), within(Duration::from_millis(100), HOUR), Restart;
        /// How long another server is waited for to reply to the end of the message. Who gives up
        /// too soon sends the message twice (RFC 5321 4.5.3.2.6).
        final_reply_timeout: Duration =
            is(10 * MINUTE), within(Duration::from_millis(100), HOUR), Restart;
        /// How long an unused connection to another server is kept; `"0s"` keeps none.
        connection_idle: Duration = is(Duration::from_secs(10)), within(Duration::ZERO, HOUR), Restart;
    }

    /// What is written to standard error. `docs/events.md` has every event.
    table log: Log {
        /// `"text"` for people, `"json"` for programs; `"auto"` is text on a terminal and JSON
        /// elsewhere.
        format: LogFormat = is(LogFormat::Auto), any(), Restart;
        /// The least important level that is written.
        level: Level = is(Level::Info), any(), Restart;
    }
}

impl Listed for Listener {
    fn when_absent(_: &Machine) -> Vec<Listener> {
        vec![Listener {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 2525)),
            protocol: Protocol::Smtp,
            accepts_mail: true,
            strict_classic: false,
            historic: Vec::new(),
            historic_in_public: false,
            tls: None,
            auth: ListenerAuth::Off,
            clear_passwords: false,
        }]
    }

    const WHEN_ABSENT: &'static str = "Without any, the server listens on `127.0.0.1:2525`.";
}

impl Listed for Sender {
    fn when_absent(_: &Machine) -> Vec<Sender> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, users send as themselves alone.";
}

impl Listed for MailboxQuota {
    fn when_absent(_: &Machine) -> Vec<MailboxQuota> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, each mailbox may hold what its domain says.";
}

impl Listed for Moved {
    fn when_absent(_: &Machine) -> Vec<Moved> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, nobody has moved.";
}

impl Listed for Access {
    fn when_absent(_: &Machine) -> Vec<Access> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, nobody is refused but by what the server demands of \
        all.";
}

impl Listed for Route {
    fn when_absent(_: &Machine) -> Vec<Route> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, there is no way to other servers.";
}

impl Listed for OnDemand {
    fn when_absent(_: &Machine) -> Vec<OnDemand> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, nobody may call for mail.";
}

impl Listed for Collect {
    fn when_absent(_: &Machine) -> Vec<Collect> {
        Vec::new()
    }

    const WHEN_ABSENT: &'static str = "Without any, no mail is collected.";
}

impl Listed for LocalDomain {
    fn when_absent(machine: &Machine) -> Vec<LocalDomain> {
        let localhost = crate::name::localhost();
        let mut names = vec![machine.hostname.clone()];
        if machine.hostname != localhost {
            names.push(localhost);
        }
        let domain = |name| LocalDomain {
            name,
            mailboxes: Vec::new(),
            aliases: Aliases::default(),
            create_mailboxes: true,
            mailbox_size: None,
            mailbox_messages: None,
            message_size: None,
            recipient_delimiter: Delimiter(Some('+')),
        };
        names.into_iter().map(domain).collect()
    }

    const WHEN_ABSENT: &'static str = "Without any, `hostname` and `localhost` are local domains with \
        `create_mailboxes = true`.";
}

impl Access {
    /// The step at which it is asked.
    pub fn step(&self) -> AccessStep {
        self.at.unwrap_or_else(|| self.known_at())
    }

    /// The first step at which all that it names is known.
    pub(crate) fn known_at(&self) -> AccessStep {
        // Who has authenticated has done so after its EHLO, and before its MAIL.
        let named = [
            (AccessStep::Message, self.header.is_empty()),
            (AccessStep::Rcpt, self.recipients.is_empty()),
            (AccessStep::Mail, self.senders.is_empty()),
            (AccessStep::Mail, self.users.is_empty()),
            (AccessStep::Hello, self.hello.is_empty()),
        ];
        let last = named.iter().find(|(_, is_left_out)| !is_left_out);
        last.map_or(AccessStep::Connect, |(step, _)| *step)
    }
}

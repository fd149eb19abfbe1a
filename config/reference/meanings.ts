/**
 * What each key of the configuration is for, one sentence or two, by its path: `[]` stands for every entry of a list
 * and `*` for every name of a map. A test holds this table against the schema, both ways.
 */
export const meanings: Readonly<Record<string, string>> = {
  publicUrl:
    'The address under which browsers reach the app: scheme and whole host name, no path. `http` only with `development`.',
  development:
    'Permits what production refuses: http, the embedded store, local staff and the sandbox. Nowhere but on a developer’s machine.',
  instance:
    'The name of this replica, which names its audit files. It must stay the same over restarts: a stateful set’s pod name, a fixed host name.',
  'trustProxy[]':
    'Networks of your load balancers, in CIDR form. Only they may say who the client is.',

  'listen.host': 'Address of the public listener.',
  'listen.port': 'Port of the public listener.',
  'listen.tls.cert': 'Certificate chain, PEM, for a site without an ingress that ends TLS.',
  'listen.tls.key': 'Private key of that certificate, PEM.',

  'operations.listen.host': 'Address of the operations listener: probes and metrics.',
  'operations.listen.port': 'Port of the operations listener. Keep it inside your network.',
  'operations.listen.tls.cert': 'Certificate chain of the operations listener, PEM.',
  'operations.listen.tls.key': 'Private key of that certificate, PEM.',
  'operations.publicUrl':
    'The address under which staff reach their site. It needs a host name of its own, because cookies know no ports.',
  'operations.staff.listen.host':
    'Address of a listener for the staff site alone. Without one it shares the operations listener.',
  'operations.staff.listen.port': 'Port of that listener.',
  'operations.staff.listen.tls.cert': 'Certificate chain of that listener, PEM.',
  'operations.staff.listen.tls.key': 'Private key of that certificate, PEM.',
  'operations.staff.oidc.issuer':
    'Issuer of your OpenID Connect provider, exactly as its discovery document says it.',
  'operations.staff.oidc.clientId': 'Client id registered there for the staff site.',
  'operations.staff.oidc.clientSecret': 'Its secret.',
  'operations.staff.oidc.proxy': 'HTTP proxy on the way to the provider.',
  'operations.staff.oidc.ca':
    'Certificate authorities of the provider, and of an `https:` proxy on the way, PEM. Left out: the public ones that Node ships.',
  'operations.staff.oidc.clientCertificate.cert': 'Client certificate for the provider, PEM.',
  'operations.staff.oidc.clientCertificate.key': 'Its private key, PEM.',
  'operations.staff.roles.claim': 'The claim of the id_token that lists a person’s groups.',
  'operations.staff.roles.auditor[]': 'Groups that may search the audit and export from it.',
  'operations.staff.roles.operator[]':
    'Groups that may look at tenants and launches, and end launches.',
  'operations.staff.local[].name': 'Only with `development`: a user’s name.',
  'operations.staff.local[].passwordHash': 'Only with `development`: scrypt in PHC form.',
  'operations.staff.local[].role': 'Only with `development`: that user’s role.',

  'operations.tracing.endpoint':
    'Where OpenTelemetry spans go, by OTLP/HTTP as JSON: `https://collector.hospital.example/v1/traces`. Without it tracing is off.',
  'operations.tracing.ratio':
    'The share of launches that is traced, from 0 to 1. A launch is traced whole or not at all.',
  'operations.tracing.accept':
    'The `traceparent` of a proxy in `trustProxy` counts: its trace, and whether it is traced, are then the proxy’s choice.',
  'operations.tracing.propagate': 'FHIR requests to the EHR carry `traceparent`.',
  'operations.tracing.authorization': 'The value of the Authorization header for the collector.',
  'operations.tracing.ca': 'Certificate authorities of the collector, PEM.',
  'operations.tracing.clientCertificate.cert': 'Client certificate for the collector, PEM.',
  'operations.tracing.clientCertificate.key': 'Its private key, PEM.',

  'store.redis.url':
    'One Redis: `redis://user:password@host:6379`, or `rediss://` for TLS. An ACL user needs the channels `&smart-bff:*` too.',
  'store.redis.sentinels[].host': 'Host of a Sentinel.',
  'store.redis.sentinels[].port': 'Its port.',
  'store.redis.name': 'The name under which the Sentinels watch the primary.',
  'store.redis.cluster[].host': 'Host of a node of a Redis Cluster; the others are found from it.',
  'store.redis.cluster[].port': 'Its port.',
  'store.redis.username': 'ACL user.',
  'store.redis.password': 'Its password.',
  'store.redis.tls.ca': 'Certificate authorities of the Redis servers, PEM.',
  'store.redis.tls.cert': 'Client certificate, PEM.',
  'store.redis.tls.key': 'Its private key, PEM.',
  'store.redis.launchRecords':
    '`packed`, unless given, takes a third less of Redis. `text` while a replica of a version that does not know this key runs beside: it reads nothing else. Both are always read. See [upgrade](upgrade.md).',

  'keys.encryption[].id': 'Name of the key, which stands in front of everything sealed under it.',
  'keys.encryption[].secret':
    'The first seals, all open. `smart-bff keys rotate` reseals under the first, so that an old one can go.',
  'keys.session[]': 'Signs the session cookie: the first signs, all verify.',
  'keys.pseudonym[].id': 'Name of the key, which stands in front of every pseudonym.',
  'keys.pseudonym[].secret':
    'The first makes pseudonyms; a search asks under all. Keep a key for as long as files made under it must be searchable.',
  'keys.signing': 'Ed25519 private key, PKCS#8 PEM: signs the audit’s checkpoints.',

  'session.idleMinutes':
    'A launch ends after so long without a pointer, a key or a touch. Polling and fetches do not count.',
  'session.absoluteMinutes': 'A session ends after so long whatever happens: a shift.',
  'session.launchesPerBrowser':
    'Launches one browser may hold at once. One more ends the oldest, and its page says so.',

  'app.directory': 'The folder of the app’s files, relative to this file.',
  'app.upstream':
    'Or the server that has them. It is asked with GET and HEAD and gets no cookie or credential.',
  'app.helper': '`inject` puts the browser helper into every HTML document of the app.',
  'app.csp.*[]':
    "Sources that widen one directive of the app’s Content-Security-Policy. For scripts only an origin, or `*.` in front of one, `'self'`, a hash, or `'wasm-unsafe-eval'`.",

  'audit.directory': 'The folder of the audit files: a volume that is backed up.',
  'audit.durability': '`fsync` survives a power cut, and is slower.',
  'audit.stdout': 'Every record on standard output too, as it stands in the file, for a SIEM.',
  'audit.stream.records':
    'So many of the newest records are kept in Redis, for the search index of every replica; 0 for none.',
  'audit.retentionDays':
    'Files older than this are deleted, and a record says so. HIPAA asks for six years.',
  'audit.checkpointSeconds': 'A signed checkpoint at least this often while records are written.',

  'audit.checkpoints.path': 'A file on another volume to which every checkpoint goes as well.',
  'audit.checkpoints.log': 'Checkpoints stand in the application log as well.',
  'audit.checkpoints.store': 'Checkpoints go to the store as well.',
  'audit.compressAfterDays': 'Files older than this are compressed.',
  'audit.fhir.url':
    'The FHIR base of an Audit Record Repository, which gets IHE BALP AuditEvents (docs/balp.md). In them alone a patient stands by reference.',
  'audit.fhir.feed': 'One Bundle of many AuditEvents, or one request each.',
  'audit.fhir.authorization': 'The value of the Authorization header for the repository.',
  'audit.fhir.ca': 'Certificate authorities for the repository, PEM.',
  'audit.fhir.clientCertificate.cert': 'Our certificate for the repository, PEM.',
  'audit.fhir.clientCertificate.key': 'Its private key, PEM.',
  'audit.fhir.spool':
    'The folder in which sealed AuditEvents wait for the repository; `balp-spool` in the audit’s folder when left out.',
  'audit.fhir.spoolMegabytes':
    'So much may wait. What finds no room is counted, told and lost to the repository.',
  'audit.maxFileMegabytes': 'A file that is larger is followed by another part of the day.',

  'rateLimits.launchPerMinute':
    'Launches a minute from one address, counted over all replicas. A hospital stands behind one address.',
  'rateLimits.fhirPerLaunchPerMinute':
    'FHIR requests a minute of one launch, counted by each replica for itself. More are answered 429 with Retry-After.',
  drainSeconds:
    'After SIGTERM: how long this replica says on `/readyz` that it is going and still answers. Longer than your load balancer takes to notice.',
  shutdownSeconds:
    'After SIGTERM: the whole time to stop in, `drainSeconds` included; then the process ends as it is. Whoever kills it must wait longer.',

  'logging.level':
    'The application log. Refusals are the audit’s business; the log hears of faults.',

  'tenants[].id': 'Names the tenant in URLs, records and metrics.',
  'tenants[].name': 'What a clinician reads.',
  'tenants[].iss':
    'The FHIR base URL exactly as the EHR sends it as `iss`: compared and sent byte for byte.',
  'tenants[].vendor': 'Sets the defaults of `quirks` and `onNewPatient`.',
  'tenants[].fhirVersion': 'Other versions are refused.',
  'tenants[].paused': 'Closes the tenant for maintenance with a page that shows this text.',
  'tenants[].redirectPath':
    'The path of the redirect URI, `/callback/<id>` unless said. Tenants that share one must all have `callbackIss: required`.',
  'tenants[].frameAncestors[]': 'Origins of the EHR’s pages that show the app in a frame.',
  'tenants[].onNewPatient':
    '`supersede`: a launch for another patient ends the user’s earlier ones. `parallel`: each chart keeps its own. The default is the vendor’s.',
  'tenants[].support.text': 'Whom to call and what to use instead, shown on every page of a state.',
  'tenants[].guard':
    'When the EHR answers with data of another patient: `refuse` refuses the whole answer, `drop` removes, counts and says so.',

  'tenants[].client.id': 'The client id that the EHR gave the app.',
  'tenants[].client.auth': 'How the app proves itself at the token endpoint.',
  'tenants[].client.secret': 'For `client_secret_basic` and `client_secret_post`.',
  'tenants[].client.keys[].kid': 'Key id, unique across tenants.',
  'tenants[].client.keys[].alg': 'The EHR must support it; SMART asks it to know ES384 and RS384.',
  'tenants[].client.keys[].key':
    'PKCS#8 PEM or private JWK. The first signs, all are published: put a new one behind, wait until the EHR has it, then move it to the front.',

  'tenants[].modes[].id': 'Names the mode in its launch URL `/launch/<tenant>/<mode>`.',
  'tenants[].modes[].launch':
    '`ehr`: opened from the chart. `standalone`: opened by its address, and the EHR asks for the patient.',
  'tenants[].modes[].user': 'The kind of user that may launch; the EHR’s `fhirUser` must be of it.',
  'tenants[].modes[].patient':
    '`required`: no launch without a patient. `optional`: without one only rules with `withoutPatient` apply. `none`: never one.',
  'tenants[].modes[].scopes[]': 'What is asked of the EHR. Ask for no more than the rules need.',

  'tenants[].modes[].allow[].feature': 'The feature of the app that needs this rule.',
  'tenants[].modes[].allow[].resource': 'A FHIR resource type.',
  'tenants[].modes[].allow[].interactions[]': 'What may be done with it.',
  'tenants[].modes[].allow[].search[]':
    'Search parameters the app may use, with their modifier where one is allowed. The patient is set by smart-bff and needs no listing.',
  'tenants[].modes[].allow[].include[]':
    '`_include` targets, such as `Observation:encounter`. Their type needs a rule of its own.',
  'tenants[].modes[].allow[].upsert':
    'An update may create a resource that does not exist; it is then sent with `If-None-Match: *`.',
  'tenants[].modes[].allow[].unversioned':
    'A write is possible though the EHR gives no versions. Two users may then overwrite each other.',
  'tenants[].modes[].allow[].validate': 'The EHR’s `$validate` must agree before a write is sent.',
  'tenants[].modes[].allow[].confirm':
    'The app must have confirmed the name and birth date it displays before a write is sent. The mode needs a rule that reads Patient.',
  'tenants[].modes[].allow[].withoutPatient':
    'Applies though no patient is in context (`patient: optional`).',
  'tenants[].modes[].allow[].operation':
    'A named operation, such as `Patient/$everything`, by GET or by POST with a Parameters body.',
  'tenants[].modes[].allow[].parameters[]':
    'Parameters the app may give it; `resource` too, whose record is judged like the body of a write.',
  'tenants[].modes[].allow[].bundle[]':
    'Bundles the app may post. Every entry, writes too, is judged by its own rule as if it came alone; one that is refused refuses the whole.',

  'tenants[].upstream.timeoutMs': 'How long the EHR may take to answer, in milliseconds.',
  'tenants[].upstream.connections': 'Connections to this EHR, a process.',
  'tenants[].upstream.maxBodyBytes': 'The largest answer that is taken, in bytes, after expansion.',
  'tenants[].upstream.circuit.failures':
    'So many failures in a row, of two launches at least, cut the EHR off for a while.',
  'tenants[].upstream.circuit.openSeconds': 'How long it stays cut off before one request tries.',
  'tenants[].upstream.proxy': 'An HTTP proxy on the way to the EHR.',
  'tenants[].upstream.ca':
    'Certificate authorities of the EHR, and of an `https:` proxy on the way, PEM. Left out: the public ones that Node ships.',
  'tenants[].upstream.clientCertificate.cert': 'Client certificate for mutual TLS, PEM.',
  'tenants[].upstream.clientCertificate.key': 'Its private key, PEM.',

  'tenants[].quirks.idTokenIssuers[]':
    'Issuers whose id_tokens are accepted, where they are not the discovery document’s.',
  'tenants[].quirks.authorizeMethod':
    '`post` sends the authorization request as a form; `post-ehr-launch` for EHR launches alone.',
  'tenants[].quirks.nonce': 'Send a nonce and require it in the id_token. Some EHRs never echo it.',
  'tenants[].quirks.endpoints.authorization': 'Instead of the discovered authorization endpoint.',
  'tenants[].quirks.endpoints.token': 'Instead of the discovered token endpoint.',
  'tenants[].quirks.endpoints.jwks': 'Instead of the discovered key set.',
  'tenants[].quirks.endpoints.revocation': 'Instead of the discovered revocation endpoint.',
  'tenants[].quirks.endpoints.introspection': 'Instead of the discovered introspection endpoint.',
  'tenants[].quirks.endpoints.issuer': 'Instead of the discovered issuer.',
  'tenants[].quirks.discoveryHeaders.*': 'A header the EHR’s gateway needs on discovery requests.',
  'tenants[].quirks.scopeVersion':
    '`v1` asks for `.read` and `.write`, for an EHR that knows no `.rs`.',
  'tenants[].quirks.basicEncoding':
    'Whether client id and secret are form-encoded before base64 (RFC 6749) or not.',
  'tenants[].quirks.assertionAudience':
    'The `aud` of client assertions, where it is not the token URL.',
  'tenants[].quirks.includeJku': 'Put the key set’s URL into the header of client assertions.',
  'tenants[].quirks.minRefreshSeconds': 'Refresh no more often than this.',
  'tenants[].quirks.finalRefreshErrors[]':
    'OAuth errors of a refresh that end the authorization though the standard means something else by them.',
  'tenants[].quirks.allowHttp2': 'Speak HTTP/2 where the EHR offers it.',
  'tenants[].quirks.patientFallback':
    '`fhirUser`: a patient’s own launch without `patient` is about the user.',
  'tenants[].quirks.callbackIss': 'Whether the callback must carry `iss` (RFC 9207).',
  'tenants[].quirks.introspection': 'Ask the introspection endpoint about a new token (RFC 7662).',
  'tenants[].quirks.jwksClientId':
    'Name the client (`client_id`) where the EHR’s keys are read. The vendor’s default is on for athenahealth.',
  'tenants[].quirks.styleHosts[]':
    'Hosts from which `smart_style_url` may be fetched. None listed: no style.',
}

var restdb = (function (collections, root) {
  "use strict";

  // Where this file came from is where requests go, unless `url` says otherwise.
  var origin = (function () {
    var script = root.document && root.document.currentScript;
    var found = /^(https?:\/\/[^/]+)(.*)\/rest\/_jsapi\.js/.exec((script && script.src) || "");
    if (found) return found[1] + found[2];
    return root.location && root.location.host ? root.location.protocol + "//" + root.location.host : "";
  })();

  var DOCUMENT_EVENTS = ["POST", "PUT", "DELETE"];
  var CONNECTION_EVENTS = ["CONNECT", "DISCONNECT", "RECONNECT"];

  /** A database: `key` is an API key, or a token with `{jwt: true}`. */
  function restdb(key, options) {
    if (!(this instanceof restdb)) return new restdb(key, options);
    var db = this;
    options = options || {};
    db.apikey = key;
    db.url = String(options.url === undefined ? origin : options.url).replace(/\/+$/, "");
    if (!db.url) throw new Error("restdb: the option `url` is needed where no page tells it");
    db.logging = Boolean(options.logging);
    var hidden = { options: options, handlers: [], classes: {} };
    hidden.token = options.jwt === true ? key : options.jwt || "";
    Object.defineProperty(db, "_internal", { value: hidden });
    // A collection whose own name is that of a class comes before those whose names become it.
    [true, false].forEach(function (isOwn) {
      collections.forEach(function (one) {
        var name = one.name.replace(/[_-]/g, "");
        var isTaken = name in db || name === "then" || name === "";
        if (!isTaken && (name === one.name) === isOwn) put(db, name, db.collection(one.name));
      });
    });
    if (options.realtime) hidden.stream = openStream(db);
  }

  restdb.prototype = {
    constructor: restdb,
    /** The class of a collection by its real name; also one that this file does not know. */
    collection: function (name) {
      var classes = this._internal.classes;
      var known = Object.prototype.hasOwnProperty.call(classes, name);
      if (!known) put(classes, name, makeClass(this, name));
      return classes[name];
    },
    on: function (event, callback) {
      return listen(this, { event: event, callback: callback });
    },
    off: function (event, callback) {
      return unlisten(this, { event: event, callback: callback });
    },
    /** Publishes a custom event. */
    publish: function (event, data, callback) {
      return send(this, "POST", "/realtime", { event: event, data: data }, callback);
    },
    /** Ends realtime. */
    close: function () {
      if (this._internal.stream) this._internal.stream.close();
      this._internal.stream = null;
    },
  };

  // --- documents ---

  /** Sets an own member, whatever its name is. */
  function put(target, name, value) {
    var how = { value: value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(target, name, how);
  }

  /** The fields of a collection by their types; the names come from the server. */
  function fieldsOf(collection) {
    var known = collections.filter(function (one) {
      return one.name === collection;
    });
    return known.length ? known[0].fields : [];
  }

  function makeClass(db, collection) {
    var path = "/rest/" + encodeURIComponent(collection);
    var fields = fieldsOf(collection);

    function Document(properties) {
      if (!(this instanceof Document)) return new Document(properties);
      // Fields whose names are those of methods are kept here.
      Object.defineProperty(this, "_own", { value: {}, writable: true });
      Object.defineProperty(this, "_fill", { value: fill.bind(null, this) });
      fill(this, properties || {});
    }

    function fill(document, values) {
      Object.keys(values).forEach(function (name) {
        put(name in Document.prototype ? document._own : document, name, values[name]);
      });
      fields.forEach(function (field) {
        if (field.type !== "child" || field.name in Document.prototype) return;
        put(document, field.name, children(db, [collection, document], field, values[field.name]));
      });
      return document;
    }

    function isChildren(name) {
      return fields.some(function (field) {
        return field.type === "child" && field.name === name;
      });
    }

    function pathOf(document) {
      if (!document._id) throw new Error("restdb: the document is not saved yet");
      return path + "/" + encodeURIComponent(document._id);
    }

    /** An answer as documents; what is no document stays as it is. */
    function asDocuments(values) {
      if (!Array.isArray(values)) return values;
      return values.map(function (value) {
        return value && typeof value === "object" && value._id ? new Document(value) : value;
      });
    }

    /** The document as it is sent: what it holds, without its children. */
    Document.prototype.toJSON = function () {
      var body = {};
      [this, this._own].forEach(function (part) {
        Object.keys(part).forEach(function (name) {
          if (!isChildren(name) && typeof part[name] !== "function") put(body, name, part[name]);
        });
      });
      return body;
    };
    Document.prototype.save = function (callback) {
      var document = this;
      var isNew = !document._id;
      var way = isNew ? path : pathOf(document);
      return send(db, isNew ? "POST" : "PUT", way, document, callback, document._fill);
    };
    Document.prototype.delete = function (callback) {
      return send(db, "DELETE", pathOf(this), undefined, callback);
    };
    Document.prototype.reload = function (callback) {
      var document = this;
      return send(db, "GET", pathOf(document), undefined, callback, function (found) {
        Object.keys(document).forEach(function (name) {
          delete document[name];
        });
        document._own = {};
        return fill(document, found);
      });
    };
    Document.prototype.on = function (event, callback) {
      return listen(db, { event: event, callback: callback, collection: collection, document: this });
    };
    Document.prototype.off = function (event, callback) {
      return unlisten(db, { event: event, callback: callback, collection: collection, document: this });
    };

    /** Documents by a query; `{metafields: true}` among the hints is a parameter. */
    Document.find = function (query, hints, callback) {
      if (typeof query === "function") return Document.find({}, {}, query);
      if (typeof hints === "function") return Document.find(query, {}, hints);
      var asked = path + "?q=" + encodeURIComponent(JSON.stringify(query || {}));
      var kept = {};
      Object.keys(hints || {}).forEach(function (name) {
        if (name === "metafields") asked += hints[name] ? "&metafields=true" : "";
        else put(kept, name, hints[name]);
      });
      if (Object.keys(kept).length) asked += "&h=" + encodeURIComponent(JSON.stringify(kept));
      return send(db, "GET", asked, undefined, callback, function (found, pagination) {
        var documents = asDocuments(found);
        if (Array.isArray(documents)) Object.defineProperty(documents, "pagination", { value: pagination });
        return documents;
      });
    };
    Document.getById = function (id, callback) {
      return send(db, "GET", path + "/" + encodeURIComponent(id), undefined, callback, function (found) {
        return new Document(found);
      });
    };
    Document.on = function (event, callback) {
      return listen(db, { event: event, callback: callback, collection: collection });
    };
    Document.off = function (event, callback) {
      return unlisten(db, { event: event, callback: callback, collection: collection });
    };
    return Document;
  }

  /** The children of a document: those that came with it, and two methods. */
  function children(db, parent, field, embedded) {
    var collection = parent[0], document = parent[1];
    var Child = db.collection(field.collection);
    var list = Array.isArray(embedded) ? embedded.slice() : [];
    function path() {
      if (!document._id) throw new Error("restdb: the parent is not saved yet");
      return "/rest/" + [collection, document._id, field.name].map(encodeURIComponent).join("/");
    }
    function method(name, run) {
      Object.defineProperty(list, name, { value: run });
    }
    method("addChild", function (child, callback) {
      if (!(child instanceof Child)) child = new Child(child);
      if (!child._id) return send(db, "POST", path(), child, callback, child._fill);
      path();
      child._parent_id = document._id;
      child._parent_def = collection;
      child._parent_field = field.name;
      return child.save(callback);
    });
    method("getChild", function (callback) {
      return send(db, "GET", path(), undefined, callback, function (found) {
        return found.map(function (one) {
          return new Child(one);
        });
      });
    });
    return list;
  }

  // --- requests ---

  function credentials(db) {
    var token = db._internal.token;
    return token ? { Authorization: "Bearer " + token } : { "x-apikey": db.apikey };
  }

  /** Sends a request. The callback gets an error or the result; without one, a promise does. */
  function send(db, method, path, body, callback, convert) {
    if (typeof callback !== "function") {
      if (typeof Promise === "undefined") return send(db, method, path, body, function () {}, convert);
      return new Promise(function (resolve, reject) {
        send(db, method, path, body, function (error, result) {
          if (error) reject(error);
          else resolve(result);
        }, convert);
      });
    }
    log(db, method, path);
    var headers = credentials(db);
    if (body !== undefined) headers["Content-Type"] = "application/json";
    var text = body === undefined ? undefined : JSON.stringify(body);
    var request = { method: method, url: db.url + path, headers: headers, body: text };
    var transport = root.XMLHttpRequest ? byXhr : byFetch;
    transport(request, function (status, answer, pagination) {
      var error = null, result;
      try {
        var parsed = JSON.parse(answer || "null");
        if (status < 200 || status > 299) error = refusal(status, parsed, answer);
        else result = convert ? convert(parsed, JSON.parse(pagination || "null")) : parsed;
      } catch (unreadable) {
        error = refusal(status, null, answer);
      }
      if (error) log(db, error.message);
      callback(error, error ? undefined : result);
    });
  }

  function refusal(status, body, text) {
    var error = new Error((body && body.message) || (status ? "the answer cannot be read" : "no answer"));
    error.name = (body && body.name) || "NetworkError";
    error.status = status;
    if (body && body.list) error.list = body.list;
    // As programs for the jQuery build read it.
    error.responseText = text || "";
    error.responseJSON = body;
    return error;
  }

  function byXhr(request, done) {
    var xhr = new root.XMLHttpRequest();
    xhr.open(request.method, request.url, true);
    Object.keys(request.headers).forEach(function (name) {
      xhr.setRequestHeader(name, request.headers[name]);
    });
    xhr.onload = function () {
      done(xhr.status, xhr.responseText, xhr.getResponseHeader("X-Pagination"));
    };
    xhr.onerror = xhr.ontimeout = xhr.onabort = function () {
      done(0, "");
    };
    xhr.send(request.body);
  }

  function byFetch(request, done) {
    var answer;
    root.fetch(request.url, request)
      .then(function (response) {
        answer = response;
        return response.text();
      })
      .then(function (text) {
        return { status: answer.status, text: text, pagination: answer.headers.get("X-Pagination") };
      })
      .catch(function () {
        return { status: 0, text: "" };
      })
      .then(function (read) {
        // A callback that throws is none of the promise's business.
        setTimeout(function () {
          done(read.status, read.text, read.pagination);
        }, 0);
      });
  }

  function log(db) {
    if (!db.logging || !root.console) return;
    root.console.log.apply(root.console, ["restdb:"].concat([].slice.call(arguments, 1)));
  }

  // --- realtime ---

  function listen(db, handler) {
    if (typeof handler.callback !== "function") throw new Error("restdb: `on` needs a callback");
    db._internal.handlers.push(handler);
    if (!db._internal.stream) log(db, "without the option `realtime` nothing will come for", handler.event);
  }

  /** Takes handlers away: one callback, or all of the event. */
  function unlisten(db, named) {
    db._internal.handlers = db._internal.handlers.filter(function (known) {
      var isSame = known.event === named.event && known.collection === named.collection;
      isSame = isSame && known.document === named.document;
      return !(isSame && (named.callback === undefined || known.callback === named.callback));
    });
  }

  function tell(db, event, data) {
    db._internal.handlers.forEach(function (handler) {
      if (handler.event !== event || !concerns(handler, data)) return;
      try {
        handler.callback(null, data);
      } catch (thrown) {
        // One that throws does not keep the others from hearing.
        setTimeout(function () {
          throw thrown;
        }, 0);
      }
    });
  }

  function concerns(handler, told) {
    if (!handler.collection) return true;
    if (!told || told.collection !== handler.collection) return false;
    if (!handler.document) return true;
    var id = handler.document._id;
    return Boolean(id) && [].concat(told.data).indexOf(id) >= 0;
  }

  /** A connection that is opened again, after the last event that was heard, until it is closed. */
  function openStream(db) {
    var options = db._internal.options;
    var wait = number(options.reconnectdelay, 5000);
    var look = number(options._keepalivedelay, 20000);
    var patience = number(options._keepalivediff, 25000);
    var source = null, retry = null, last = "", heard = 0, was_open = false, is_open = false, closed = false;

    function address() {
      var key = options["realtime-api-key"] || db._internal.token;
      var token = db._internal.token;
      var who = token
        ? "jwt=" + encodeURIComponent(token) + "&rt-apikey=" + encodeURIComponent(key)
        : "apikey=" + encodeURIComponent(options["realtime-api-key"] || db.apikey);
      return db.url + "/realtime?" + who + (last ? "&lastEventId=" + encodeURIComponent(last) : "");
    }

    function open() {
      retry = null;
      heard = Date.now();
      var mine = (source = root.EventSource ? new root.EventSource(address()) : fetchSource(address()));
      var on = function (name, run) {
        mine.addEventListener(name, function (event) {
          if (source !== mine) return;
          heard = Date.now();
          if (event.lastEventId) last = event.lastEventId;
          run(event);
        });
      };
      on("open", function () {
        is_open = true;
        tell(db, was_open ? "RECONNECT" : "CONNECT", null);
        was_open = true;
      });
      on("error", function () {
        if (!is_open && last) forgetPlaceIfGone();
        lost();
      });
      on("ping", function () {});
      DOCUMENT_EVENTS.forEach(function (name) {
        on(name.toLowerCase(), function (event) {
          tell(db, name, JSON.parse(event.data));
        });
      });
      on("publish", function (event) {
        var told = JSON.parse(event.data);
        // A program that calls its event POST must not forge what happens to documents.
        var isOurs = DOCUMENT_EVENTS.concat(CONNECTION_EVENTS).indexOf(told.event) >= 0;
        if (!isOurs) tell(db, told.event, told);
      });
    }

    // A place that the server does not have any more is refused (410) for ever; without it the next connection begins anew.
    function forgetPlaceIfGone() {
      var stop = new root.AbortController();
      root.fetch(address(), { signal: stop.signal }).then(
        function (response) {
          if (response.status === 410) last = "";
          stop.abort();
        },
        function () {}
      );
    }

    function lost() {
      if (source) source.close();
      source = null;
      if (is_open) tell(db, "DISCONNECT", null);
      is_open = false;
      if (!closed && retry === null) retry = setTimeout(open, wait);
    }

    // Pings come every few seconds: silence means that nothing else would come either. The time is that of their arrival, so
    // that a clock that is wrong does no harm.
    var watch = setInterval(function () {
      if (source && Date.now() - heard > patience) lost();
    }, look);

    open();
    return {
      close: function () {
        closed = true;
        clearInterval(watch);
        clearTimeout(retry);
        lost();
      },
    };
  }

  function number(given, otherwise) {
    return typeof given === "number" && given >= 0 ? given : otherwise;
  }

  /** What is needed of an EventSource, where there is none: over `fetch`. It does not connect again by itself. */
  function fetchSource(url) {
    var listeners = {};
    var stop = new root.AbortController();
    var id = "";
    function emit(name, data) {
      (listeners[name] || []).forEach(function (run) {
        run({ data: data, lastEventId: id });
      });
    }
    function frame(lines) {
      var name = "message", data = [];
      lines.forEach(function (line) {
        var parts = /^([^:]*):? ?([\s\S]*)$/.exec(line);
        if (parts[1] === "event") name = parts[2];
        if (parts[1] === "data") data.push(parts[2]);
        if (parts[1] === "id") id = parts[2];
      });
      if (data.length) emit(name, data.join("\n"));
    }
    function read(reader, decoder, rest) {
      return reader.read().then(function (part) {
        if (part.done) throw new Error("the stream ended");
        // A carriage return at the end of a part may be half of a line's end.
        var text = rest + decoder.decode(part.value, { stream: true });
        var held = /\r$/.test(text) ? "\r" : "";
        text = text.slice(0, text.length - held.length).replace(/\r\n?/g, "\n");
        var frames = text.split("\n\n");
        var left = frames.pop() + held;
        frames.forEach(function (one) {
          frame(one.split("\n"));
        });
        return read(reader, decoder, left);
      });
    }
    root.fetch(url, { headers: { Accept: "text/event-stream" }, signal: stop.signal })
      .then(function (response) {
        if (response.status !== 200) throw new Error("refused: " + response.status);
        emit("open");
        return read(response.body.getReader(), new root.TextDecoder(), "");
      })
      .catch(function () {
        emit("error");
      });
    return {
      addEventListener: function (name, run) {
        (listeners[name] = listeners[name] || []).push(run);
      },
      close: function () {
        stop.abort();
      },
    };
  }

  return restdb;
})(__COLLECTIONS__, typeof globalThis === "object" ? globalThis : self);

if (typeof module === "object" && module.exports) module.exports = restdb;

/* Headwater: pages of RestDB.io load an EventSource here. Browsers have one, and it stays as it is. */
if (typeof EventSource === "undefined" && typeof console === "object") console.warn("This browser has no EventSource: realtime does not work in it.");

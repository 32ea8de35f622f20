// Asks the server's API: JSON in and out, the token, errors that say what is wrong.

const tokenKey = "millrace-token";
const timeoutMs = 15_000;

export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status; // 0: no answer at all
    this.code = code;
  }
}

let askForToken = null; // async () => token or null

export function onTokenWanted(ask) {
  askForToken = ask;
}

export function query(parameters) {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") out.set(name, value);
  }
  const text = out.toString();
  return text ? `?${text}` : "";
}

async function once(method, path, body, milliseconds) {
  const headers = { Accept: "application/json" };
  const token = sessionStorage.getItem(tokenKey);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), milliseconds);
  try {
    const answer = await fetch(path, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "omit", redirect: "error", signal: stop.signal,
    });
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    const late = stop.signal.aborted;
    throw new ApiError(0, late ? "timeout" : "no_answer",
      late ? `no answer within ${milliseconds / 1000} s` : "the server can't be reached");
  } finally {
    clearTimeout(timer);
  }
}

function read(status, text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiError(status, "not_json", `status ${status}, and the answer isn't JSON`);
  }
}

async function ask(method, path, body, { milliseconds = timeoutMs } = {}) {
  for (;;) {
    const used = sessionStorage.getItem(tokenKey);
    const { status, text } = await once(method, path, body, milliseconds);
    if (status === 401 && askForToken) {
      // Another request may have asked meanwhile.
      if (sessionStorage.getItem(tokenKey) !== used) continue;
      const token = await askForToken(used !== null);
      if (token === null) throw new ApiError(401, "unauthorized", "the server wants a token");
      sessionStorage.setItem(tokenKey, token);
      continue;
    }
    const json = read(status, text);
    if (status >= 200 && status < 300) return json;
    const error = json.error ?? {};
    throw new ApiError(status, error.code ?? "error",
      typeof error === "string" ? error : error.message ?? `status ${status}`);
  }
}

export const get = (path, parameters = {}, options) =>
  ask("GET", path + query(parameters), undefined, options);
export const post = (path, body, options) => ask("POST", path, body, options);
export const remove = (path, parameters = {}) => ask("DELETE", path + query(parameters));

"""The floor: bare JSON over Flask and psycopg with the same tables in small and nothing else. Measured beside the product."""

import json
import os
import secrets

from flask import Flask, Response, jsonify, request
from psycopg_pool import ConnectionPool

app = Flask(__name__)
pool = None


def db():
    global pool
    if pool is None:
        pool = ConnectionPool(os.environ["FLOOR_DSN"], min_size=2, max_size=int(os.environ.get("POOL", "8")), open=True)
    return pool.connection()


@app.get("/")
def root():
    return jsonify(id=1, state="filed", village=24979)


@app.post("/petitions")
def file_():
    b = request.get_json()
    with db() as c:
        pid, at = c.execute(
            "INSERT INTO petition(ref,village_id,category_id,title,body,reporter_hash,lon,lat) VALUES (%s,%s,%s,%s,%s,%s,%s,%s) RETURNING id, created_at",
            (
                "P-" + secrets.token_hex(8),
                b["village"],
                b["category"],
                b["title"],
                b["body"],
                b.get("reporter"),
                b["lon"],
                b["lat"],
            ),
        ).fetchone()
        c.execute(
            "INSERT INTO history(petition_id,actor,event,to_state,payload) VALUES (%s,'public','filed','filed',%s)",
            (pid, '{"channel":"web"}'),
        )
        c.execute(
            "INSERT INTO outbox(topic,key,payload) VALUES ('petition.filed',%s,%s)",
            (pid, json.dumps({"id": pid, "village": b["village"]})),
        )
    return jsonify(id=pid, state="filed", created_at=at.isoformat()), 201


COLS = "id,ref,village_id,category_id,state,title,body,lon,lat,created_at,updated_at"


@app.get("/petitions")
def list_():
    st = request.args.getlist("state")
    before = request.args.get("before")
    v = request.args.get("village")
    w, p = [], []
    if st:
        w.append("state = ANY(%s)")
        p.append(st)
    if v:
        w.append("village_id = %s")
        p.append(int(v))
    if before:
        w.append("id < %s")
        p.append(int(before))
    sql = f"SELECT {COLS} FROM petition" + (" WHERE " + " AND ".join(w) if w else "") + " ORDER BY id DESC LIMIT 50"
    with db() as c:
        cur = c.execute(sql, p)
        names = [d.name for d in cur.description]
        rows = [dict(zip(names, r, strict=False)) for r in cur]
    for r in rows:
        r["created_at"] = r["created_at"].isoformat()
        r["updated_at"] = r["updated_at"].isoformat()
    return Response(
        json.dumps({"results": rows, "next": rows[-1]["id"] if rows else None}), mimetype="application/json"
    )


@app.get("/petitions/<int:pid>")
def detail(pid):
    with db() as c:
        cur = c.execute(f"SELECT {COLS} FROM petition WHERE id=%s", (pid,))
        names = [d.name for d in cur.description]
        r = dict(zip(names, cur.fetchone(), strict=False))
        h = [
            dict(zip(("at", "actor", "event", "from", "to"), x, strict=False))
            for x in c.execute(
                "SELECT at,actor,event,from_state,to_state FROM history WHERE petition_id=%s ORDER BY id", (pid,)
            )
        ]
    r["created_at"] = r["created_at"].isoformat()
    r["updated_at"] = r["updated_at"].isoformat()
    for x in h:
        x["at"] = x["at"].isoformat()
    r["history"] = h
    return Response(json.dumps(r), mimetype="application/json")


@app.post("/petitions/<int:pid>/status")
def status(pid):
    b = request.get_json()
    with db() as c:
        r = c.execute("SELECT state FROM petition WHERE id=%s FOR UPDATE", (pid,)).fetchone()
        c.execute("UPDATE petition SET state=%s, updated_at=now() WHERE id=%s", (b["state"], pid))
        c.execute(
            "INSERT INTO history(petition_id,actor,event,from_state,to_state,payload) VALUES (%s,'staff','transition',%s,%s,%s)",
            (pid, r[0], b["state"], json.dumps({"text": b["text"]})),
        )
        c.execute(
            "INSERT INTO outbox(topic,key,payload) VALUES ('petition.moved',%s,%s)",
            (pid, json.dumps({"id": pid, "to": b["state"]})),
        )
    return jsonify(id=pid, state=b["state"])

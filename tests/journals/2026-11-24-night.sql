-- Events as the program of 2026-11-24, night (commit 98097ed), wrote them: by hand, after its source. The build is open:
-- one package received, one live already, two not built.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    schema   INTEGER NOT NULL,
    body     TEXT NOT NULL
);
CREATE TABLE snapshots (
    sequence INTEGER PRIMARY KEY,
    schema   INTEGER NOT NULL,
    body     BLOB NOT NULL
);
INSERT INTO events VALUES(1,0,1795503846,1,'{"fleet_declared":{"drones":[{"name":"drone0","cores":4,"jobs":null},{"name":"drone1","cores":4,"jobs":2,"memory_mib":8192}]}}');
INSERT INTO events VALUES(2,1,1795503906,1,'{"epoch_claimed":{"epoch":1,"controller":"capella-1f3a9c04","at":1795503846}}');
INSERT INTO events VALUES(3,1,1795503966,1,'{"release_seen":{"release":"000001-000001"}}');
INSERT INTO events VALUES(4,1,1795504026,1,'{"run_begun":{"lost_after":600,"at":1795503946}}');
INSERT INTO events VALUES(5,1,1795504086,1,'{"history_imported":{"samples":[{"cpv":"app-lab/package0x-0.9","wall_s":12.5,"at":1795494846},{"cpv":"app-lab/package1x-0.9","wall_s":30.0,"cpu_s":99.0,"width":4,"memory_mib":300,"drone":"drone0","at":1795495846}]}}');
INSERT INTO events VALUES(6,1,1795504146,1,'{"drone_ready":{"drone":"drone0","address":"10.42.0.203","rooms":"own"}}');
INSERT INTO events VALUES(7,1,1795504206,1,'{"drone_ready":{"drone":"drone1","address":null,"rooms":{"impossible":"no overlay on an overlay"}}}');
INSERT INTO events VALUES(8,1,1795504266,1,'{"drain_asked":{"drone":"drone1","drain":true,"at":1795503956}}');
INSERT INTO events VALUES(9,1,1795504326,1,'{"drain_asked":{"drone":"drone1","drain":false,"at":1795503966}}');
INSERT INTO events VALUES(10,1,1795504386,1,'{"build_opened":{"build":"20261124T184006Z-1f3a9c04","selection":{"packages":["app-lab/package0x-1.0","app-lab/package1x-1.0"]},"plan":{"driver":"capella","packages":[{"identity":{"cpv":"app-lab/package0x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true},{"identity":{"cpv":"app-lab/package1x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true},{"identity":{"cpv":"app-lab/package2x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true},{"identity":{"cpv":"app-lab/package3x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true}],"edges":[{"from":1,"to":0,"kinds":["buildtime"]},{"from":2,"to":1,"kinds":["buildtime"]}],"index_header":{"ARCH":"amd64"},"warnings":[]},"live":{"3":{"path":"app-lab/package3x/package3x-1.0-7.gpkg.tar","build_id":7,"stanza":{"BUILD_ID":"7","CPV":"app-lab/package3x-1.0","PATH":"app-lab/package3x/package3x-1.0-7.gpkg.tar","SIZE":"10240","SLOT":"0"}}},"at":1795503976}}');
INSERT INTO events VALUES(11,1,1795504446,1,'{"job_started":{"job":"20261124T184006Z-1f3a9c04-1","package":0,"drone":"drone0","build_ids":{"0":1},"width":4,"at":1795503986}}');
INSERT INTO events VALUES(12,1,1795504506,1,'{"drone_away":{"drone":"drone0","trouble":"unreachable","reason":"nobody answers","at":1795503996}}');
INSERT INTO events VALUES(13,1,1795504566,1,'{"job_given_up":{"job":"20261124T184006Z-1f3a9c04-1","at":1795504646}}');
INSERT INTO events VALUES(14,1,1795504626,1,'{"drone_ready":{"drone":"drone0","address":"10.42.0.203","rooms":"own"}}');
INSERT INTO events VALUES(15,1,1795504686,1,'{"job_back":{"job":"20261124T184006Z-1f3a9c04-1"}}');
INSERT INTO events VALUES(16,1,1795504746,1,'{"package_received":{"job":"20261124T184006Z-1f3a9c04-1","package":0,"file":{"path":"app-lab/package0x/package0x-1.0-1.gpkg.tar","build_id":1,"stanza":{"BUILD_ID":"1","CPV":"app-lab/package0x-1.0","PATH":"app-lab/package0x/package0x-1.0-1.gpkg.tar","SIZE":"10240","SLOT":"0"}},"cost":{"wall_ms":61000,"cpu_ms":200000,"width":4,"memory_mib":412},"at":1795504746}}');
INSERT INTO events VALUES(17,1,1795504806,1,'{"job_ended":{"job":"20261124T184006Z-1f3a9c04-1","outcome":"delivered","at":1795504756}}');
INSERT INTO events VALUES(18,2,1795504866,1,'{"epoch_claimed":{"epoch":2,"controller":"capella-1f3a9c04","at":1795504761}}');
INSERT INTO events VALUES(19,2,1795504926,1,'{"job_found":{"job":"20261124T170000Z-2b-9","package":1,"drone":"drone1","build_id":5,"at":1795504766}}');
INSERT INTO events VALUES(20,2,1795504986,1,'{"job_ended":{"job":"20261124T170000Z-2b-9","outcome":"discarded","at":1795504776}}');
INSERT INTO events VALUES(21,2,1795505046,1,'{"job_started":{"job":"20261124T184006Z-1f3a9c04-2.2","package":1,"drone":"drone1","build_ids":{"1":6},"width":8,"at":1795504786}}');
INSERT INTO events VALUES(22,2,1795505106,1,'{"job_ended":{"job":"20261124T184006Z-1f3a9c04-2.2","outcome":{"failed":{"failure":{"class":"build","reason":"it does not compile"},"log":null}},"at":1795504836}}');
INSERT INTO events VALUES(23,2,1795505166,1,'{"retry_asked":{"packages":[1],"at":1795504846}}');
INSERT INTO events VALUES(24,2,1795505226,1,'{"drone_away":{"drone":"drone1","trouble":"unwell","reason":"the disk is full","at":1795504856}}');

-- Events as the program of 2026-11-24, noon (commit d7eeb7a), wrote them: by hand, after its source. The second build
-- is open, one of its packages was lost once.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    epoch    INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    schema   INTEGER NOT NULL,
    body     TEXT NOT NULL
);
INSERT INTO events VALUES(1,0,1795503846,1,'{"fleet_declared":{"drones":[{"name":"drone0","cores":4,"jobs":1},{"name":"drone1","cores":4,"jobs":1}]}}');
INSERT INTO events VALUES(2,0,1795503906,1,'{"release_seen":{"release":null}}');
INSERT INTO events VALUES(3,0,1795503966,1,'{"drone_ready":{"drone":"drone0","address":"10.42.0.203"}}');
INSERT INTO events VALUES(4,0,1795504026,1,'{"drone_away":{"drone":"drone1","trouble":"unreachable","reason":"nobody answers at 10.42.0.204"}}');
INSERT INTO events VALUES(5,0,1795504086,1,'{"build_ids_seen":{"highest":{"app-lab/package0x-1.0":3}}}');
INSERT INTO events VALUES(6,0,1795504146,1,'{"build_opened":{"build":"20261124T111716Z","selection":{"atoms":["app-lab/package1x"]},"plan":{"driver":"capella","packages":[{"identity":{"cpv":"app-lab/package0x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true},{"identity":{"cpv":"app-lab/package1x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true}],"edges":[{"from":1,"to":0,"kinds":["buildtime"]}],"index_header":{"ARCH":"amd64"},"warnings":[]},"at":1795504146}}');
INSERT INTO events VALUES(7,0,1795504206,1,'{"job_started":{"job":"20261124T111716Z-1","package":0,"drone":"drone0","build_ids":{"0":4},"at":1795504206}}');
INSERT INTO events VALUES(8,0,1795504266,1,'{"package_received":{"job":"20261124T111716Z-1","package":0,"file":{"path":"app-lab/package0x/package0x-1.0-4.gpkg.tar","build_id":4,"stanza":{"BUILD_ID":"4","CPV":"app-lab/package0x-1.0","PATH":"app-lab/package0x/package0x-1.0-4.gpkg.tar","SIZE":"10240","SLOT":"0"}},"at":1795504266}}');
INSERT INTO events VALUES(9,0,1795504326,1,'{"job_ended":{"job":"20261124T111716Z-1","outcome":"delivered","at":1795504276}}');
INSERT INTO events VALUES(10,0,1795504386,1,'{"job_started":{"job":"20261124T111716Z-2","package":1,"drone":"drone0","build_ids":{"1":1},"at":1795504286}}');
INSERT INTO events VALUES(11,0,1795504446,1,'{"job_ended":{"job":"20261124T111716Z-2","outcome":{"failed":{"failure":{"class":"build","reason":"it does not compile"},"log":"logs/app-lab/package1x-1.0/20261124T111716Z-2.log"}},"at":1795504346}}');
INSERT INTO events VALUES(12,0,1795504506,1,'{"retry_asked":{"at":1795504356}}');
INSERT INTO events VALUES(13,0,1795504566,1,'{"job_started":{"job":"20261124T111716Z-3","package":1,"drone":"drone0","build_ids":{"1":2},"at":1795504366}}');
INSERT INTO events VALUES(14,0,1795504626,1,'{"package_received":{"job":"20261124T111716Z-3","package":1,"file":{"path":"app-lab/package1x/package1x-1.0-2.gpkg.tar","build_id":2,"stanza":{"BUILD_ID":"2","CPV":"app-lab/package1x-1.0","PATH":"app-lab/package1x/package1x-1.0-2.gpkg.tar","SIZE":"10240","SLOT":"0"}},"at":1795504406}}');
INSERT INTO events VALUES(15,0,1795504686,1,'{"job_ended":{"job":"20261124T111716Z-3","outcome":"delivered","at":1795504416}}');
INSERT INTO events VALUES(16,0,1795504746,1,'{"build_finished":{"build":"20261124T111716Z","at":1795504426}}');
INSERT INTO events VALUES(17,0,1795504806,1,'{"build_released":{"build":"20261124T111716Z","release":"000001-000001","at":1795504446}}');
INSERT INTO events VALUES(18,0,1795504866,1,'{"build_opened":{"build":"20261124T121716Z","selection":"world","plan":{"driver":"capella","packages":[{"identity":{"cpv":"app-lab/package2x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true},{"identity":{"cpv":"app-lab/package3x-1.0","slot":{"slot":"0","sub_slot":"0"},"repository":"gentoo","ebuild_digest":"d41d8cd98f00b204e9800998ecf8427e","use_flags":["amd64","nls"],"chost":"x86_64-pc-linux-gnu","compiler":{"CFLAGS":"-O2"},"linked":[]},"requested":true}],"edges":[],"index_header":{"ARCH":"amd64"},"warnings":[]},"at":1795504546}}');
INSERT INTO events VALUES(19,0,1795504926,1,'{"job_started":{"job":"20261124T121716Z-1","package":0,"drone":"drone0","build_ids":{"0":1},"at":1795504556}}');
INSERT INTO events VALUES(20,0,1795504986,1,'{"job_ended":{"job":"20261124T121716Z-1","outcome":{"failed":{"failure":{"class":"lost","reason":"the build vanished"},"log":null}},"at":1795504646}}');

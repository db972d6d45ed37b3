c.Spawner.environment = {"COURSE": "physics"}

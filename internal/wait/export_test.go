package wait

func NewAlarm(fire func()) *Alarm { return &Alarm{fire: fire} }

import {
  CreateRoomRequest,
  DeleteRoomRequest,
  DeleteRoomResponse,
  ListParticipantsRequest,
  ListParticipantsResponse,
  ListRoomsRequest,
  ListRoomsResponse,
  RoomParticipantIdentity,
  SendDataRequest,
  SendDataResponse,
} from '@livekit/protocol'
import { unknown } from './egress-api.ts'
import type { Faults } from './faults.ts'
import { closeRoom, findMember, fullRoom, openRoom, presentMember, type Rooms } from './rooms.ts'
import { rpc, type Grants, type TwirpService } from './twirp.ts'

export type SentData = { room: string; topic: string | undefined; data: string; destinationIdentities: string[] }

/** The part of the room service that a recording service needs. */
export function roomService(deps: { rooms: Rooms; faults: Faults; onData: (sent: SentData) => void }): TwirpService {
  const { rooms, faults } = deps
  const reachable = () => {
    if (faults.roomServiceUnavailable) throw unknown('unavailable', 'no response from servers')
  }

  return {
    ListParticipants: rpc(ListParticipantsRequest, adminOf, ({ room }) => {
      reachable()
      const members = rooms.byName.get(room)?.members.values() ?? []
      return new ListParticipantsResponse({ participants: [...members].map(presentMember) })
    }),
    GetParticipant: rpc(RoomParticipantIdentity, adminOf, ({ room, identity }) => {
      reachable()
      const member = findMember(rooms, room, identity)
      if (!member) throw unknown('not_found', 'participant does not exist')
      return presentMember(member)
    }),
    ListRooms: rpc(
      ListRoomsRequest,
      (grants) => grants.roomList === true,
      ({ names }) => {
        reachable()
        const wanted = [...rooms.byName.values()].filter(({ room }) => isWanted(names, room.name))
        return new ListRoomsResponse({ rooms: wanted.map(fullRoom) })
      },
    ),
    CreateRoom: rpc(
      CreateRoomRequest,
      (grants) => grants.roomCreate === true,
      ({ name }) => {
        reachable()
        return fullRoom(rooms.byName.get(name) ?? openRoom(rooms, name))
      },
    ),
    DeleteRoom: rpc(
      DeleteRoomRequest,
      (grants) => grants.roomCreate === true,
      ({ room }) => {
        reachable()
        if (!closeRoom(rooms, room)) throw unknown('not_found', 'requested room does not exist')
        return new DeleteRoomResponse()
      },
    ),
    SendData: rpc(SendDataRequest, adminOf, ({ room, topic, data, destinationIdentities }) => {
      reachable()
      deps.onData({ room, topic, data: Buffer.from(data).toString(), destinationIdentities })
      return new SendDataResponse()
    }),
  }
}

function adminOf(grants: Grants, { room }: { room: string }): boolean {
  return grants.roomAdmin === true && grants.room === room
}

/** No names, all rooms. */
function isWanted(names: string[], name: string): boolean {
  return names.length === 0 || names.includes(name)
}

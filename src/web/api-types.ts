/**
 * What the API takes and gives. Made from its OpenAPI document by `scripts/build web-types`; not to be
 * edited.
 */

export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** Method, path, the least of the roles that may, and the media type of what it takes. */
export const OPERATIONS = {
  listJobs: ['GET', '/api/v1/jobs', 'viewer'],
  createJob: ['POST', '/api/v1/jobs', 'operator', 'application/json'],
  showJob: ['GET', '/api/v1/jobs/{job}', 'viewer'],
  jobStory: ['GET', '/api/v1/jobs/{job}/story', 'viewer'],
  approveJob: ['POST', '/api/v1/jobs/{job}/approve', 'approver', 'application/json'],
  rejectJob: ['POST', '/api/v1/jobs/{job}/reject', 'approver', 'application/json'],
  activateJob: ['POST', '/api/v1/jobs/{job}/activate', 'operator', 'application/json'],
  cancelJob: ['POST', '/api/v1/jobs/{job}/cancel', 'operator', 'application/json'],
  retryJob: ['POST', '/api/v1/jobs/{job}/retry', 'operator', 'application/json'],
  listImages: ['GET', '/api/v1/images', 'viewer'],
  showImage: ['GET', '/api/v1/images/{sha256}', 'viewer'],
  deleteImage: ['DELETE', '/api/v1/images/{sha256}', 'operator'],
  beginUpload: ['POST', '/api/v1/images/uploads', 'operator', 'application/json'],
  showUpload: ['GET', '/api/v1/images/uploads/{upload}', 'operator'],
  appendUpload: ['PATCH', '/api/v1/images/uploads/{upload}', 'operator', 'application/offset+octet-stream'],
  abandonUpload: ['DELETE', '/api/v1/images/uploads/{upload}', 'operator'],
  finishUpload: ['POST', '/api/v1/images/uploads/{upload}/finish', 'operator', 'application/json'],
  listLists: ['GET', '/api/v1/lists', 'viewer'],
  showList: ['GET', '/api/v1/lists/{kind}', 'viewer'],
  putList: ['PUT', '/api/v1/lists/{kind}', 'admin', 'application/octet-stream'],
  listDevices: ['GET', '/api/v1/devices', 'viewer'],
  readDevice: ['POST', '/api/v1/devices/{device}/read', 'operator'],
  listRules: ['GET', '/api/v1/rules', 'viewer'],
  showRule: ['GET', '/api/v1/rules/{rule}', 'viewer'],
  listRecords: ['GET', '/api/v1/records', 'viewer'],
  health: ['GET', '/api/v1/health', 'viewer'],
  metrics: ['GET', '/api/v1/metrics', 'viewer'],
  openApi: ['GET', '/api/v1/openapi.json', 'viewer'],
  listServiceRequests: ['GET', '/api/v1/duis/requests', 'viewer'],
  showOutbox: ['GET', '/api/v1/duis/outbox', 'viewer'],
  showMessage: ['GET', '/api/v1/duis/outbox/{message}', 'viewer'],
  releaseMessage: ['POST', '/api/v1/duis/outbox/{message}/release', 'operator', 'application/json'],
  discardMessage: ['POST', '/api/v1/duis/outbox/{message}/discard', 'operator', 'application/json'],
  listCampaigns: ['GET', '/api/v1/campaigns', 'viewer'],
  carryCampaign: ['POST', '/api/v1/campaigns', 'operator', 'application/cose'],
  showCampaign: ['GET', '/api/v1/campaigns/{digest}', 'viewer'],
  cancelCampaign: ['POST', '/api/v1/campaigns/{digest}/cancel', 'operator', 'application/json'],
  sealedEvents: ['GET', '/api/v1/fleet/events', 'viewer'],
  whoAmI: ['GET', '/api/v1/me', 'viewer'],
  listUpgrades: ['GET', '/api/v1/upgrades', 'viewer'],
  reviewUpgrade: ['POST', '/api/v1/reviews', 'operator', 'application/json'],
  showCertificate: ['GET', '/api/v1/jobs/{job}/certificates/{device}', 'viewer'],
  events: ['GET', '/api/v1/events', 'viewer'],
} as const;

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string;
  expected?: string;
  actual?: string;
  next?: string;
  errors?: {
    pointer: string;
    expected: string;
  }[];
}

export interface Operations {
  listJobs: {
    query: { state?: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome'; device?: string; image?: string; open?: 'true' | 'false'; before?: string; limit?: string };
    answer: {
      jobs: {
        id: string;
        by: string;
        createdMs: number;
        isOver: boolean;
        image: string;
        devices: number;
        states: Record<string, number>;
        deadlineMs: number;
        approvedBy?: string;
        requestId?: string;
      }[];
      next?: string;
    };
  };
  createJob: {
    body: {
      image: string;
      devices: string[];
      activation: {
        when: 'now';
      } | {
        when: 'held';
      } | {
        when: 'at';
        atMs: number;
      };
      priority: number;
      notBeforeMs?: number;
      deadlineMs: number;
      window?: string;
      needsApproval?: boolean;
      supersede?: boolean;
      requestId?: string;
      reason?: string;
    };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  showJob: {
    path: { job: string };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  jobStory: {
    path: { job: string };
    answer: {
      job: string;
      records: {
        sequence: number;
        atMs: number;
        kind: string;
        [field: string]: unknown;
      }[];
    };
  };
  approveJob: {
    path: { job: string };
    body: Record<string, never>;
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  rejectJob: {
    path: { job: string };
    body: {
      reason: string;
    };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  activateJob: {
    path: { job: string };
    body: {
      devices?: string[];
      activation: {
        when: 'now';
      } | {
        when: 'held';
      } | {
        when: 'at';
        atMs: number;
      };
    };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  cancelJob: {
    path: { job: string };
    body: {
      devices?: string[];
      reason?: string;
    };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  retryJob: {
    path: { job: string };
    body: {
      devices?: string[];
    };
    answer: {
      id: string;
      by: string;
      createdMs: number;
      isOver: boolean;
      approvedBy?: string;
      request: {
        image: string;
        devices: string[];
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        priority: number;
        notBeforeMs?: number;
        deadlineMs: number;
        window?: string;
        needsApproval?: boolean;
        supersede?: boolean;
        requestId?: string;
        reason?: string;
      };
      upgrades: {
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
    };
  };
  listImages: {
    answer: {
      images: {
        sha256: string;
        bytes: number;
        name: string;
        storedMs: number;
        format?: string;
        neededBy: string[];
      }[];
    };
  };
  showImage: {
    path: { sha256: string };
    answer: {
      sha256: string;
      bytes: number;
      name: string;
      storedMs: number;
      format?: string;
      neededBy: string[];
    };
  };
  deleteImage: {
    path: { sha256: string };
    answer: undefined;
  };
  beginUpload: {
    body: {
      bytes: number;
      sha256: string;
      name: string;
    };
    answer: {
      sha256: string;
      bytes: number;
      name: string;
      storedMs: number;
      format?: string;
      neededBy: string[];
    } | {
      upload: string;
      bytes: number;
      receivedBytes: number;
      expiresMs: number;
    };
  };
  showUpload: {
    path: { upload: string };
    answer: {
      upload: string;
      bytes: number;
      receivedBytes: number;
      expiresMs: number;
    };
  };
  appendUpload: {
    path: { upload: string };
    body: Uint8Array<ArrayBuffer>;
    answer: undefined;
  };
  abandonUpload: {
    path: { upload: string };
    answer: undefined;
  };
  finishUpload: {
    path: { upload: string };
    body: Record<string, never>;
    answer: {
      sha256: string;
      bytes: number;
      name: string;
      storedMs: number;
      format?: string;
      neededBy: string[];
    };
  };
  listLists: {
    answer: {
      lists: {
        kind: 'central-products-list' | 'eligible-combinations' | 'pending-combinations' | 'installations';
        sha256: string;
        entries: number;
        fetchedAtMs: number;
        source: string;
      }[];
    };
  };
  showList: {
    path: { kind: 'central-products-list' | 'eligible-combinations' | 'pending-combinations' | 'installations' };
    answer: {
      kind: 'central-products-list' | 'eligible-combinations' | 'pending-combinations' | 'installations';
      sha256: string;
      entries: number;
      fetchedAtMs: number;
      source: string;
    };
  };
  putList: {
    path: { kind: 'central-products-list' | 'eligible-combinations' | 'pending-combinations' | 'installations' };
    query: { source: string; fetchedAtMs?: string };
    body: Uint8Array<ArrayBuffer>;
    answer: {
      kind: 'central-products-list' | 'eligible-combinations' | 'pending-combinations' | 'installations';
      sha256: string;
      entries: number;
      fetchedAtMs: number;
      source: string;
    };
  };
  listDevices: {
    answer: {
      devices: {
        id: string;
        kind: string;
        eui64?: string;
        deviceModel?: string;
        stallMs?: number;
        link: string;
        linkUp: boolean;
        runs?: string;
        runsReadMs?: number;
        reading?: {
          atMs: number;
          answers?: 'application' | 'recovery' | 'bootloader';
          code?: string;
          detail?: string;
          next?: string;
        };
        upgrade?: string;
        campaign?: {
          id: string;
          generation: number;
          ring?: string;
          state: string;
        };
      }[];
    };
  };
  readDevice: {
    path: { device: string };
    answer: {
      from: number;
    };
  };
  listRules: {
    answer: {
      rules: {
        id: string;
        text: string;
        source: {
          document: string;
          version?: string;
        };
        confidence: 'read' | 'inferred' | 'assumed';
        sees: string[];
        siteMayChange: boolean;
        effectiveFromMs?: number;
        effectiveUntilMs?: number;
      }[];
    };
  };
  showRule: {
    path: { rule: string };
    answer: {
      id: string;
      text: string;
      source: {
        document: string;
        version?: string;
      };
      confidence: 'read' | 'inferred' | 'assumed';
      sees: string[];
      siteMayChange: boolean;
      effectiveFromMs?: number;
      effectiveUntilMs?: number;
    };
  };
  listRecords: {
    query: { from?: string; limit?: string };
    answer: {
      records: {
        sequence: number;
        atMs: number;
        kind: string;
        [field: string]: unknown;
      }[];
      next: number;
    };
  };
  health: {
    answer: {
      gateway: string;
      version: string;
      state: 'ready' | 'degraded' | 'stopping';
      reasons: {
        code: string;
        message: string;
      }[];
      startedMs: number;
      journal: {
        sequence: number;
        hash: string;
      };
      upgrades: Record<string, number>;
      links: {
        link: string;
        up: boolean;
        since: number;
        detail?: string;
      }[];
      campaigns?: {
        id: string;
        digest: string;
        generation?: number;
        carrier: string;
        state: 'refused' | 'lacks-images' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired';
        code?: string;
      }[];
      coordinator?: {
        connected: boolean;
        enrolled: boolean;
        lastContactMs?: number;
        trouble?: {
          code: string;
          sinceMs: number;
        };
        eventsWaiting: number;
      };
    };
  };
  metrics: {
    answer: string;
  };
  openApi: {
    answer: {
      openapi: '3.1.0';
      info: {
        title: string;
        version: string;
        [field: string]: unknown;
      };
      paths: Record<string, Record<string, unknown>>;
      [field: string]: unknown;
    };
  };
  listServiceRequests: {
    answer: {
      requests: {
        requestId: string;
        serviceReference: string;
        duisVersion: string;
        takenMs: number;
        deviceCount: number;
        jobs: string[];
        execution?: number | 'cancel';
      }[];
    };
  };
  showOutbox: {
    answer: {
      users: {
        user: string;
        waiting: number;
        waitingSinceMs?: number;
        failures: number;
        lastFailure?: {
          outcome: string;
          detail: string;
          atMs: number;
        };
        nextTryMs?: number;
        parked: {
          message: number;
          queuedMs: number;
          parkedMs: number;
          detail: string;
        }[];
      }[];
    };
  };
  showMessage: {
    path: { message: string };
    answer: string;
  };
  releaseMessage: {
    path: { message: string };
    body: Record<string, never>;
    answer: undefined;
  };
  discardMessage: {
    path: { message: string };
    body: {
      reason: string;
    };
    answer: undefined;
  };
  listCampaigns: {
    answer: {
      campaigns: {
        id: string;
        digest: string;
        generation?: number;
        carrier: string;
        state: 'refused' | 'lacks-images' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired';
        code?: string;
        detail?: string;
        missing: {
          sha256: string;
          bytes: number;
        }[];
        devices: Record<string, number>;
      }[];
    };
  };
  carryCampaign: {
    body: Uint8Array<ArrayBuffer>;
    answer: {
      id: string;
      digest: string;
      generation?: number;
      carrier: string;
      state: 'refused' | 'lacks-images' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired';
      code?: string;
      detail?: string;
      missing: {
        sha256: string;
        bytes: number;
      }[];
      devices: Record<string, number>;
    };
  };
  showCampaign: {
    path: { digest: string };
    answer: {
      id: string;
      digest: string;
      generation?: number;
      carrier: string;
      state: 'refused' | 'lacks-images' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired';
      code?: string;
      detail?: string;
      missing: {
        sha256: string;
        bytes: number;
      }[];
      devices: Record<string, number>;
    };
  };
  cancelCampaign: {
    path: { digest: string };
    body: {
      reason: string;
    };
    answer: {
      id: string;
      digest: string;
      generation?: number;
      carrier: string;
      state: 'refused' | 'lacks-images' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired';
      code?: string;
      detail?: string;
      missing: {
        sha256: string;
        bytes: number;
      }[];
      devices: Record<string, number>;
    };
  };
  sealedEvents: {
    query: { after?: string };
    answer: {
      gateway: string;
      through: number;
      more: boolean;
      sealed: string;
    };
  };
  whoAmI: {
    answer: {
      by: string;
      role: 'viewer' | 'operator' | 'approver' | 'admin';
    };
  };
  listUpgrades: {
    query: { skip?: string; limit?: string };
    answer: {
      sequence: number;
      upgrades: {
        job: string;
        image: string;
        device: string;
        state: 'planned' | 'awaiting-approval' | 'scheduled' | 'verifying' | 'staged' | 'distributing' | 'distributed' | 'awaiting-activation' | 'activating' | 'confirming' | 'done' | 'failed' | 'refused' | 'cancelled' | 'superseded' | 'expired' | 'unknown-outcome';
        owner: 'central' | 'gateway' | 'device' | 'person' | 'nobody';
        waitsFor: string;
        sinceMs: number;
        untilMs?: number;
        attempt: number;
        code?: string;
        detail?: string;
        next?: string;
        sentBytes: number;
        totalBytes: number;
        activation: {
          when: 'now';
        } | {
          when: 'held';
        } | {
          when: 'at';
          atMs: number;
        };
        cancelRequested: boolean;
      }[];
      next?: number;
    };
  };
  reviewUpgrade: {
    body: {
      image: string;
      devices: string[];
      activation: {
        when: 'now';
      } | {
        when: 'held';
      } | {
        when: 'at';
        atMs: number;
      };
    };
    answer: {
      image: {
        sha256: string;
        bytes: number;
        name: string;
        storedMs: number;
        format?: string;
        neededBy: string[];
      };
      reviews: {
        device: string;
        verdict: 'admitted' | 'refused';
        ruleId?: string;
        conditional: boolean;
        pending: {
          what: string;
          next: string;
        }[];
        hashes?: {
          sent: string;
          listed: string;
        };
        decidedAtMs: number;
        findings: {
          ruleId: string;
          text: string;
          source: {
            document: string;
            version?: string;
          };
          confidence: 'read' | 'inferred' | 'assumed';
          outcome: 'pass' | 'not-applicable' | 'refuse' | 'warn' | 'unknown';
          expected?: string;
          actual?: string;
          next?: string;
          seen: {
            what: string;
            value: string;
          }[];
        }[];
        entries: {
          entryId: string;
          line: number;
          deviceType: string;
          deviceModel: string;
          firmwareVersion: string;
          hash: string;
          standing: string;
        }[];
        installs?: string;
        runs?: string;
        runsReadMs?: number;
        plan?: {
          link: 'radio' | 'serial-line';
          steps: {
            step: string;
            text: string;
            leastMs: number;
            mostMs: number;
            irreversible?: true;
          }[];
          blocks: number;
          leastMs: number;
          mostMs: number;
        };
        secondPerson?: string;
      }[];
    };
  };
  showCertificate: {
    path: { job: string; device: string };
    answer: {
      gateway: string;
      job?: string;
      device?: string;
      eui64?: string;
      deviceModel?: string;
      ran?: string;
      runs?: string;
      image?: string;
      imageName?: string;
      listed?: string;
      entries?: string;
      by?: string;
      approvedBy?: string;
      done?: string;
      record?: string;
      text: string;
    };
  };
  events: {
    query: { from?: string; job?: string };
    answer: string;
  };
}

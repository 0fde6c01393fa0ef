using System.Runtime.InteropServices;

namespace Fewbit.OnnxRuntime.Native;

/// <summary>An object that ONNX Runtime made and must release. A release function never fails.</summary>
internal sealed unsafe class OrtHandle : SafeHandle
{
    private readonly delegate* unmanaged<nint, void> _release;

    public OrtHandle(OrtApi api, OrtFunction release, nint value) : base(0, ownsHandle: true)
    {
        _release = (delegate* unmanaged<nint, void>)api[release];
        SetHandle(value);
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The pointer, for a call during which the caller keeps this handle open.</summary>
    public nint Pointer => handle;

    protected override bool ReleaseHandle()
    {
        _release(handle);
        return true;
    }
}

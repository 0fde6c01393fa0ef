namespace Fewbit.OnnxRuntime;

/// <summary>ONNX Runtime cannot be loaded, or it refused a model or a run; the message is its own.</summary>
public sealed class OnnxRuntimeException : Exception
{
    /// <summary>An error without a message.</summary>
    public OnnxRuntimeException() { }

    /// <summary>An error of the bridge.</summary>
    public OnnxRuntimeException(string message) : base(message) { }

    /// <summary>An error of the bridge with its cause.</summary>
    public OnnxRuntimeException(string message, Exception innerException) : base(message, innerException) { }

    internal OnnxRuntimeException(int code, string message) : base(message) => Code = code;

    /// <summary>The OrtErrorCode of onnxruntime_c_api.h (3: no such file, 7: invalid protobuf, ...); 0 where the error is the bridge's.</summary>
    public int Code { get; }
}

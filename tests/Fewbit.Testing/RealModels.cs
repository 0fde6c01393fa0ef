using Xunit;

namespace Fewbit.Testing;

/// <summary>The pretrained models of the real data.</summary>
public static class RealModels
{
    /// <summary>Paths of all of them, relative to the data root, in a fixed order.</summary>
    public static IReadOnlyList<string> Paths { get; } =
    [
        "cifar10/models/mlperf_tiny_resnet8.onnx",
        "cifar10/models/resnet20.onnx",
        "cifar10/models/resnet20_jpegft.onnx",
        "cifar10/models/resnet56.onnx",
        "detection/models/FastestDet_352.onnx",
        "detection/models/nanodet_m_416.onnx",
        "detection/models/ultraface_rfb_320.onnx",
        "diffusion/mnist_unet_gn_attn.onnx",
        "diffusion/mnist_unet_ln.onnx",
        "imagenet/models/mobilenetv2_1.0_dequant.onnx",
        "imagenet/models/squeezenet1_1.onnx",
        "imagenet/models/tinydarknet.onnx",
        "mlperf_tiny/ad_autoencoder.onnx",
        "mlperf_tiny/kws_dscnn.onnx",
        "mlperf_tiny/vww_mobilenet_0.25_96.onnx",
        "super_resolution/models/imdn_rtc_x2.onnx",
        "super_resolution/models/imdn_x4.onnx",
        "super_resolution/models/rfdn_x4.onnx",
        "super_resolution/models/vdsr_y.onnx",
        "text/char_lstm_es/char_lstm_es.onnx",
        "text/stories260K/stories260K.onnx",
    ];
}

/// <summary>A theory over the pretrained models; skipped, with the reason, where one of them is not there.</summary>
public sealed class RealModelTheoryAttribute : TheoryAttribute
{
    /// <param name="needsRuntime">Whether ONNX Runtime is needed too.</param>
    public RealModelTheoryAttribute(bool needsRuntime) => Skip = (needsRuntime ? Oracles.WhyNotOnnxRuntime() : null) ?? Oracles.WhyNotData([.. RealModels.Paths]);
}
